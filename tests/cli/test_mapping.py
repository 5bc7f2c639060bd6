"""``skerry map``, beside a collector in which a storm has passed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .test_collected import url  # noqa: F401

Run = Callable[..., Any]

HEAD = ["FROM", "TO", "WHAT", "COUNT", "RATE", "FAILED", "P50", "P99", "DECLARED", "TOPICS"]


def test_without_a_fleet_there_is_what_was_seen(run: Run, empty: Path, url: str) -> None:  # noqa: F811
    done = run("map", "--collector", url)
    assert done.status == 0
    head, outside, call, *remarks = done.out.splitlines()
    assert head.split() == HEAD
    assert outside.split()[:4] == ["(outside)", "payments", "calls", "15"]
    assert call.split()[:4] == ["payments", "ledger", "calls", "15"]
    assert "100.0%" in call and call.endswith("69.3ms")
    assert "failures are born in ledger" in remarks
    assert "payments fails for others' sake" in remarks
    data = json.loads(run("map", "--collector", url, "--json").out)
    assert {(node["id"], node["kind"], node["health"]) for node in data["nodes"]} == {
        ("ledger", "foreign", "cause"),
        ("payments", "foreign", "victim"),
        ("@outside", "front", ""),
    }
    assert [edge["declared"] for edge in data["edges"]] == [None, None]


def test_needs_are_read_from_the_file(run: Run, empty: Path, url: str) -> None:  # noqa: F811
    for app in ("payments", "ledger", "mail"):
        (empty / app).mkdir()
        (empty / app / "app.py").write_text("from skerry import App\napp = App(__package__)\n")
    file = empty / "fleet.toml"
    file.write_text(
        '[fleet]\nname = "small"\n[front]\nroutes = { "/" = "payments" }\n'
        '[apps.payments]\nneeds = ["mail"]\n[apps.ledger]\nteam = "money"\n[apps.mail]\n'
    )
    data = json.loads(run("map", "--collector", url, "--json").out)
    edges = {(edge["caller"], edge["callee"]): edge for edge in data["edges"]}
    assert edges["payments", "ledger"]["declared"] is False
    assert edges["@outside", "payments"]["declared"] is True
    assert not edges["payments", "mail"]["observed"]
    assert {node["team"] for node in data["nodes"] if node["id"] == "ledger"} == {"money"}
    text = run("map", "--collector", url, "--file", str(file)).out
    assert "payments calls ledger without needing it" in text


@pytest.mark.parametrize(
    ("since", "said"),
    [("soon", "'soon' is no time"), ("0s", "at most a day"), ("25h", "at most a day")],
)
def test_times_that_are_none(run: Run, empty: Path, url: str, since: str, said: str) -> None:  # noqa: F811
    done = run("map", "--collector", url, "--since", since)
    assert done.status == 1 and said in done.err and not done.out


def test_a_fleet_that_is_named_must_be_there(run: Run, empty: Path, url: str) -> None:  # noqa: F811
    done = run("map", "--collector", url, "--file", "nowhere.toml")
    assert done.status == 1 and "no such fleet file" in done.err
