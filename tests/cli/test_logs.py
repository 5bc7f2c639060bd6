"""What is left of a fleet that has ended."""

from __future__ import annotations

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
