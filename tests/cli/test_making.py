"""Verbs that write the first files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skerry.spec import load


def test_a_fleet_and_an_app(
    empty: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("new", "fleet", "harbour").status == 0
    monkeypatch.chdir(empty / "harbour")
    done = run("new", "app", "pilots")
    assert done.status == 0 and "skerry up" in done.out
    assert list(load(Path()).apps) == ["pilots"]
    again = run("new", "app", "pilots")
    assert again.status == 1 and "already" in again.err
    assert run("new", "app", "Not A Name").status == 1
    assert run("contract", "show", "pilots").status == 0


def test_init(empty: Path, run: Callable[..., Any]) -> None:
    assert "skerry new fleet" in run("init").err
    (empty / "Procfile").write_text("web: flask run --port $PORT\nworker: celery -A x worker\n")
    done = run("init")
    assert done.status == 0 and "wrote fleet.toml from" in done.out
    assert "web" in load(empty).apps
    assert "is there already" in run("init").err
    assert run("init", "--overwrite").status == 0
    assert "there is no such folder" in run("init", "nowhere").err


def test_outside_of_a_fleet(empty: Path, run: Callable[..., Any]) -> None:
    for words in (("ps",), ("up",), ("down",), ("logs",), ("new", "app", "x"), ("call", "a.b")):
        done = run(*words)
        assert done.status == 1
        assert "there is no fleet.toml" in done.err and "skerry init" in done.err
    assert "nowhere: there is no such fleet file" in run("ps", "--file", "nowhere").err


def test_a_fleet_that_does_not_run(planted: Path, run: Callable[..., Any]) -> None:
    for words in (("ps",), ("restart", "greeter"), ("call", "a.b"), ("logs", "-f")):
        done = run(*words)
        assert done.status == 1 and "start it with skerry up" in done.err
    assert "no fleet has run" in run("logs").err
    down = run("down")
    assert down.status == 0 and "no fleet was running" in down.err


def test_a_fleet_file_with_mistakes(planted: Path, run: Callable[..., Any]) -> None:
    with (planted / "fleet.toml").open("a") as file:
        file.write("[apps.third]\nneds = []\n")
    done = run("up", "--detach")
    assert done.status == 1
    assert "fleet.toml:" in done.err and 'did you mean "needs"?' in done.err
