"""Tab: what could stand where the cursor is, and shells that ask for it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skerry.bus.driver import Subscription
from skerry.bus.embedded import Embedded
from skerry.cli.completion import SCRIPTS

from .conftest import spawn


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("re", ["restart"]),
        ("c", ["call", "client", "completion", "console", "contract"]),
        ("client ", ["add", "check", "update"]),
        ("bus p", ["peek", "publish", "purge"]),
        ("bus peek ", []),
        ("up --", ["--control-port", "--detach", "--file", "--help", "--no-reload", "--only"]),
        ("up --only ", ["greeter", "plain"]),
        ("up --detach ", []),
        ("restart g", ["greeter"]),
        ("restart greeter ", []),
        ("logs greeter ", ["greeter", "plain"]),
        ("logs --lines ", []),
        ("logs --lines 5 p", ["plain"]),
        ("call gr", ["greeter."]),
        ("client add pl", ["plain"]),
        ("completion ", ["bash", "fish", "zsh"]),
        ("--debug restart ", ["greeter", "plain"]),
        ("--file ", []),
        ("-C greeter restart ", []),
        ("nothing ", []),
        ("--v", ["--version"]),
    ],
)
def test_words(planted: Path, run: Callable[..., Any], typed: str, found: list[str]) -> None:
    done = run("completion", "words", *(f"+{word}" for word in typed.split(" ")))
    assert (done.status, done.out.split(), done.err) == (0, found, "")


def test_without_a_fleet_there_are_no_names(empty: Path, run: Callable[..., Any]) -> None:
    assert run("completion", "words", "+restart", "+").out == ""
    (empty / "fleet.toml").write_text("apps = 1")
    assert run("completion", "words", "+restart", "+").out == ""
    assert run("completion", "words", "+call", "+a.").out == ""


def test_a_bus_tells_its_subscriptions_and_topics(
    planted: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKERRY_BUS", "sqlite:///bus.db")

    async def declare() -> None:
        driver = Embedded(planted / "bus.db")
        await driver.open()
        await driver.declare([Subscription("ledger.book", ("a.settled", "a.returned"))])
        await driver.close()

    asyncio.run(declare())
    for typed, found in (
        ("bus redrive l", ["ledger.book"]),
        ("bus redrive --rate 1/s ", ["ledger.book"]),
        ("bus tail ", ["a.returned", "a.settled"]),
        ("bus publish a.s", ["a.settled"]),
    ):
        done = run("completion", "words", *(f"+{word}" for word in typed.split(" ")))
        assert (done.out.split(), done.err) == (found, "")


def test_a_running_app_tells_its_operations(small: Path) -> None:
    done = spawn("completion", "words", "+call", "+greeter.", cwd=small)
    assert done.out.split() == ["greeter.greet", "greeter.greeting"]


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_shell_understands_its_script(shell: str, run: Callable[..., Any]) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: apt-get install {shell}")
    script = run("completion", shell).out
    done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_bash_completes(planted: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed: apt-get install bash")
    script = f"""
    skerry() {{ {sys.executable} -m skerry.cli.main "$@"; }}
    eval "$(skerry completion bash)"
    COMP_WORDS=(skerry restart gr) COMP_CWORD=2; _skerry; echo "${{COMPREPLY[@]}}"
    COMP_WORDS=(skerry logs "") COMP_CWORD=2; _skerry; echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script], cwd=planted, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["greeter", "greeter plain"]
