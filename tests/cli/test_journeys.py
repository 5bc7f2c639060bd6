"""Journeys from a terminal: against a fleet, addresses, and apps in this process."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Ran, plant, spawn

JOURNEYS = '''
    from skerry import DynamicClient, Http, journey, step

    @journey(every="5m", owner="greeters")
    async def greets(greeter: DynamicClient) -> None:
        """Somebody is greeted."""
        with step("greet", slow=0):
            said = await greeter.greet({"text": "hello"})
            assert said.text == "hello"
        with step("read"):
            with step("again"):
                assert (await greeter.greeting("you")).text == "you"

    @journey
    async def is_rude(greeter: DynamicClient, http: Http) -> None:
        with step("greet"):
            await greeter.greet({"text": "rude"})
'''


def put(root: Path, text: str = JOURNEYS) -> Path:
    file = root / "journeys" / "greeter.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(textwrap.dedent(text))
    return root


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A fleet that runs, and has journeys."""
    root = put(plant(tmp_path_factory.mktemp("journeys")))
    up = spawn("up", "--detach", cwd=root)
    try:
        assert up.status == 0, up
        yield root
    finally:
        spawn("down", cwd=root)


def test_what_there_is(planted: Path, run: Callable[..., Any]) -> None:
    put(planted)
    done = run("journey", "ls")
    assert (done.status, done.err) == (0, "")
    lines = [re.split(r"\s{2,}", line) for line in done.out.splitlines()]
    assert lines[1:] == [
        ["greets", "300s", "30s", "greeters", "greeter", "Somebody is greeted."],
        ["is_rude", "-", "30s", "-", "greeter"],
    ]
    data = json.loads(run("journey", "ls", "--json").out)
    assert [one["name"] for one in data] == ["greets", "is_rude"]
    assert (data[0]["every"], data[0]["apps"]) == (300.0, ["greeter"])
    assert data[0]["file"] == str(planted / "journeys" / "greeter.py")


def test_steps_are_shown_and_a_failure_is_a_status(fleet: Path) -> None:
    done = spawn("journey", "run", cwd=fleet)
    assert done.status == 1
    out = re.sub(r"\d[\d.]*(µs|ms|s)\b", "T", done.out)
    out = re.sub(r"[0-9a-f]{32}", "TRACE", out)
    assert out.splitlines() == [
        "greets",
        "  ✓ greet T slow",
        "    ✓ again T",
        "  ✓ read T",
        "  ok in T, trace TRACE",
        "is_rude",
        "  ✗ greet T",
        "  failed in T, trace TRACE",
    ]
    assert "greet: Rude: greeter.greet: " in done.err
    lines = (fleet / "journeys" / "greeter.py").read_text().splitlines()
    (number,) = [n for n, line in enumerate(lines, 1) if '"rude"' in line]
    assert f"(greeter.py:{number})" in done.err
    assert "2 runs, 1 failed" in done.err


def test_one_of_them_several_times_as_data(fleet: Path) -> None:
    done = spawn("journey", "run", "greets", "--repeat", "3", "--json", cwd=fleet)
    assert (done.status, done.err) == (0, "")
    results = json.loads(done.out)
    assert [result["ok"] for result in results] == [True] * 3
    assert len({result["trace"] for result in results}) == 3
    assert [step["name"] for step in results[0]["steps"]] == ["greet", "read", "again"]


def test_the_apps_by_their_addresses(fleet: Path, tmp_path: Path) -> None:
    status = json.loads(spawn("ps", "--json", cwd=fleet).out)
    (url,) = {row["url"] for row in status["instances"] if row["app"] == "greeter"}
    path = str(fleet / "journeys")
    done = spawn(
        "journey", "run", "greets", "--path", path, "--url", f"greeter={url}", cwd=tmp_path
    )
    assert (done.status, "ok in" in done.out) == (0, True), done


def test_the_apps_in_this_process(tmp_path: Path) -> None:
    root = put(plant(tmp_path))
    (root / "fleet.toml").write_text('[fleet]\nname = "small"\n[apps.greeter]\n')
    done = spawn("journey", "run", "greets", "--in-process", cwd=root)
    assert (done.status, "ok in" in done.out) == (0, True), done
    assert not (root / ".skerry" / "data").exists()


def failed(done: Ran, said: str, status: int = 1) -> None:
    assert done.status == status, done
    assert re.search(said, done.err), done.err
    assert "Traceback" not in done.err


def test_no_fleet_runs(planted: Path, run: Callable[..., Any]) -> None:
    put(planted)
    failed(run("journey", "run"), "no fleet is running in .*; or say --in-process, or --url")


def test_nothing_to_run(planted: Path, run: Callable[..., Any]) -> None:
    failed(run("journey", "run"), "there is no folder .*journeys: journeys are there")
    put(planted, "x = 1")
    failed(run("journey", "ls"), "there are no journeys in .*journeys")
    put(planted, "1 / 0\n@journey\nasync def x() -> None: ...")
    failed(run("journey", "ls"), "greeter.py cannot be imported: ZeroDivisionError")
    failed(run("journey", "ls", "--path", "no_such_thing"), "no module, file or folder")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["greetz"], "no journey 'greetz'. Did you mean 'greets'"),
        (["--url", "greeter"], "say APP=URL"),
        (["--url", "a=http://b", "--in-process"], "only one can be"),
        (["--repeat", "0"], "--repeat is 1 at least"),
        (["--url", "greeter=here"], "is not an HTTP URL"),
    ],
)
def test_mistakes(planted: Path, run: Callable[..., Any], words: list[str], said: str) -> None:
    import sys

    put(planted)
    for name in [name for name in sys.modules if name.startswith("skerry_journeys_")]:
        del sys.modules[name]
    done = run("journey", "run", *words)
    failed(done, re.escape(said), done.status)
    assert done.status in (1, 2)


def test_tab_knows_their_names(planted: Path, run: Callable[..., Any]) -> None:
    put(planted)
    done = run("completion", "words", "+journey", "+run", "+gr")
    assert done.out.split() == ["greets"]
    assert run("completion", "words", "+journey", "+").out.split() == [
        *("ls", "run", "runs", "show")
    ]
