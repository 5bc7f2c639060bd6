"""What journeys promise, and whose they are, as the collector is told."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from skerry import journey
from skerry.core.errors import ConfigError
from skerry.journeys.declare import Journey
from skerry.journeys.probe import ProbeSettings
from skerry.journeys.promises import FILE, promises, write_promises
from skerry.observe.objectives import Objective
from skerry.observe.watch import DEFAULT, Promises


@pytest.fixture
def both() -> list[Journey]:
    @journey(owner="ann@x.y")
    async def pay() -> None: ...

    @journey
    async def look() -> None: ...

    return [pay, look]


def test_each_by_itself(both: list[Journey]) -> None:
    said = promises(both, [])
    assert said.owners == {"pay": "ann@x.y", "look": ""}
    assert said.objectives == [
        Objective("pay", availability=DEFAULT.availability),
        Objective("look", availability=DEFAULT.availability),
    ]


def test_what_names_one_goes_before_what_names_none(both: list[Journey]) -> None:
    common, own = Objective(availability=99.0), Objective("pay", latency=3.0)
    assert promises(both, [common, own]).objectives == [own, Objective("look", availability=99.0)]


def test_of_one_that_there_is_not(both: list[Journey]) -> None:
    with pytest.raises(ConfigError, match="no journey 'pya'; there are look, pay"):
        promises(both, [Objective("pya", availability=99.0)])


def test_the_file_is_what_the_collector_reads(both: list[Journey], tmp_path: Path) -> None:
    write_promises(both, [], tmp_path / "new")
    said = msgspec.json.decode((tmp_path / "new" / FILE).read_bytes(), type=Promises)
    assert said.apps["journeys"] == promises(both, [])


def test_settings_that_are_no_objectives() -> None:
    assert ProbeSettings([]).objectives() == []
    with pytest.raises(ConfigError, match=r"SKERRY_JOURNEYS_OBJECTIVES: .*less than 100"):
        ProbeSettings([], journeys_objectives='[{"availability": 200}]').objectives()
