"""Runs that the probe has kept, from a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from skerry.journeys.archive import Archive
from skerry.journeys.model import Failure, Result, Screenshot, StepResult


def keep(root: Path, journey: str, run: str, error: Failure | None = None) -> None:
    steps = [
        StepResult("look", ms=60.0, ok=error is None, at=0.0),
        StepResult("compare", ms=30.0, ok=error is None, depth=1, at=30.0),
    ]
    result = Result(
        journey=journey,
        run=run,
        trace="a" * 32,
        started=datetime(2026, 11, 23, tzinfo=UTC),
        duration=0.06,
        ok=error is None,
        steps=steps,
        error=error,
        screenshots=[Screenshot("failure", "compare", f"{run}-1.png")] if error else [],
    )
    Archive(root / ".skerry" / "journeys").add(result)


@pytest.fixture
def kept(planted: Path) -> Path:
    wrong = Failure("AssertionError", "assert a == b, where a is 1", "compare", "pay.py:7")
    keep(planted, "look", "1a00")
    keep(planted, "pay", "1a01", wrong)
    keep(planted, "pay", "1a02")
    return planted


def ids(text: str) -> list[str]:
    return re.findall(r"^1a0\d", text, re.MULTILINE)


def test_runs_of_all_and_of_one(kept: Path, run: Callable[..., Any]) -> None:
    assert ids(run("journey", "runs").out) == ["1a02", "1a01", "1a00"]
    assert ids(run("journey", "runs", "-n", "1").out) == ["1a02"]
    assert ids(run("journey", "runs", "look").out) == ["1a00"]
    assert ids(run("journey", "runs", "--failed", "-n", "1").out) == ["1a01"]
    assert "compare: assert a == b, where a is 1" in run("journey", "runs").out
    data = json.loads(run("journey", "runs", "pay", "--json").out)
    assert [(one["run"], one["ok"]) for one in data] == [("1a02", True), ("1a01", False)]


def test_one_run_is_drawn(kept: Path, run: Callable[..., Any]) -> None:
    done = run("journey", "show", "1a01")
    assert done.status == 1
    lines = done.out.splitlines()
    assert lines[0].startswith("pay  failed in 60ms, 2026-11-")
    assert lines[1].split() == ["✗", "look", "█" * 40, "60ms"]
    assert lines[2].split() == ["✗", "compare", "█" * 20, "30ms"]
    assert lines[2].index("█") - lines[1].index("█") == 20
    assert lines[3] == "  compare: AssertionError: assert a == b, where a is 1 (pay.py:7)"
    assert lines[4].endswith("/.skerry/journeys/pay/1a01-1.png")
    assert run("journey", "show", "1a02").status == 0
    assert json.loads(run("journey", "show", "1a02", "--json").out)["journey"] == "pay"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("runs", "pya"), "no run of a journey 'pya'.*Did you mean.*pay"),
        (("show", "1aff"), "no run has the id '1aff'"),
    ],
)
def test_what_is_not_there(
    kept: Path, run: Callable[..., Any], words: tuple[str, ...], said: str
) -> None:
    done = run("journey", *words)
    assert done.status == 1
    assert re.search(said, done.err), done.err


def test_nothing_is_kept(planted: Path, run: Callable[..., Any]) -> None:
    done = run("journey", "runs")
    assert (done.status, done.out.strip().startswith("RUN")) == (0, True)
    assert "[journeys] probe = true" in done.err
