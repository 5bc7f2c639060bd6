"""Which fleet is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from skerry.cli.output import Failed
from skerry.cli.place import fleet_file


def test_the_nearest_one(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(planted / "greeter/greeter")
    assert fleet_file("") == planted / "fleet.toml"


def test_one_fleet_has_one_name(planted: Path) -> None:
    expected = planted / "fleet.toml"
    assert {fleet_file(f) for f in (".", "fleet.toml", "plain/..", str(planted))} == {expected}
    (planted / "again").symlink_to(planted, target_is_directory=True)
    assert fleet_file("again") == expected


def test_a_linked_file_is_of_the_folder_it_lies_in(planted: Path) -> None:
    (planted / "other").mkdir()
    (planted / "other/fleet.toml").symlink_to(planted / "fleet.toml")
    assert fleet_file("other") == planted / "other/fleet.toml"


def test_there_is_none(empty: Path) -> None:
    for chosen in ("", "nowhere", "."):
        with pytest.raises(Failed):
            fleet_file(chosen)
