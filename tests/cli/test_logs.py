"""What is left of a fleet that has ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skerry.cli.logs import _joined


@pytest.fixture
def ended(planted: Path) -> Path:
    with (planted / "fleet.toml").open("a") as file:
        file.write("[apps.one]\npath='plain'\n[apps.two]\npath='plain'\n")
        file.write("[apps.greeter-2]\npath='plain'\n")
    text = (planted / "fleet.toml").read_text()
    (planted / "fleet.toml").write_text(
        text.replace('name = "small"', 'name = "small"\ntogether = [["one", "two"]]')
    )
    logs = planted / ".skerry/logs"
    logs.mkdir(parents=True)
    for number, source in enumerate(("fleet", "greeter-1", "greeter-2-1", "together.1-1")):
        (logs / f"{source}.log").write_text(f"2026-01-01T00:00:0{number}.000Z said {source}\n")
    return planted


@pytest.mark.parametrize(
    ("names", "sources"),
    [
        ([], ["fleet", "greeter-1", "greeter-2-1", "together.1-1"]),
        (["greeter"], ["greeter-1"]),
        (["greeter-1"], ["greeter-1"]),
        (["greeter-2", "fleet"], ["fleet", "greeter-2-1"]),
        (["two"], ["together.1-1"]),
        (["plain"], []),
    ],
)
def test_names(names: list[str], sources: list[str], ended: Path, run: Callable[..., Any]) -> None:
    done = run("logs", *names)
    assert done.status == 0, done
    assert [line.split()[0] for line in done.out.splitlines()] == sources


def test_names_of_nobody(ended: Path, run: Callable[..., Any]) -> None:
    done = run("logs", "greter")
    assert done.status == 1 and "Did you mean 'greeter'?" in done.err


def test_lines_that_come_twice_are_shown_once() -> None:
    old = {"time": "1", "source": "a", "text": "old"}
    both = {"time": "2", "source": "a", "text": "both"}
    new = {"time": "3", "source": "a", "text": "new"}
    other = {"time": "3", "source": "b", "text": "new"}
    found = _joined([old, both], iter([both, other, new]), lambda source: source == "a")
    assert list(found) == [old, both, new]


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def logged(ended: Path) -> Path:
    lines = [
        {"message": "quoted", "level": "info", "logger": "rates", "trace_id": TRACE, "n": 1},
        {"message": "refused", "level": "error", "trace_id": TRACE, "exception": "Trace\nError: x"},
        {"message": "other", "level": "warning", "trace_id": "1" * 32},
    ]
    with (ended / ".skerry/logs/greeter-1.log").open("a") as file:
        for line in lines:
            file.write(f"2026-01-01T00:00:09.000Z {json.dumps(line)}\n")
    return ended


def test_lines_of_json_are_shown_as_text(logged: Path, run: Callable[..., Any]) -> None:
    assert run("logs", "greeter").out.splitlines() == [
        "greeter-1 | said greeter-1",
        "greeter-1 | INFO    rates: quoted n=1 [4bf92f35]",
        "greeter-1 | ERROR   refused [4bf92f35]",
        "greeter-1 | Trace",
        "greeter-1 | Error: x",
        "greeter-1 | WARNING other [11111111]",
    ]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--trace", TRACE.upper()], ["quoted", "refused"]),
        (["--level", "warning"], ["refused", "other"]),
        (["--grep", "ERROR: X"], ["refused"]),
        (["--grep", "greeter-2"], ["said greeter-2-1"]),
        (["--trace", TRACE, "--level", "error", "-n", "1"], ["refused"]),
    ],
)
def test_lines_can_be_chosen(
    options: list[str], found: list[str], logged: Path, run: Callable[..., Any]
) -> None:
    lines = [json.loads(line) for line in run("logs", "--json", *options).out.splitlines()]
    assert [line["text"] for line in lines] == found
    for line in lines:
        assert ("trace" in line) == (not line["text"].startswith("said"))


@pytest.mark.parametrize("wrong", ["gold", "1" * 33])
def test_what_is_no_trace(wrong: str, logged: Path, run: Callable[..., Any]) -> None:
    done = run("logs", "--trace", wrong)
    assert done.status == 1 and "is no trace's id" in done.err
