"""``skerry journey``: acceptance tests across apps, listed and run from a terminal."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from skerry.fleet.attendants import JOURNEYS
from skerry.fleet.client import ControlError
from skerry.journeys.declare import Journey
from skerry.journeys.find import FOLDER, chosen, find

from .collected import ask
from .output import Failed, duration, echo_json, fail, note, paint, several, table
from .place import control, fleet_file


def ls(paths: list[str] | None, as_json: bool, file: str) -> int:
    """Show what journeys there are."""
    journeys = find(_places(paths, file))
    known = {} if paths else _statuses(file)
    if as_json:
        echo_json([_described(journey) | known.get(journey.name, {}) for journey in journeys])
        return 0
    rows = [
        [
            one.name,
            "-" if one.every is None else duration(one.every),
            duration(one.within),
            one.owner or "-",
            ", ".join(dict.fromkeys(need.app for need in one.needs if need.app)) or "-",
            *(_went(known.get(one.name)) if known else ()),
            one.summary,
        ]
        for one in journeys
    ]
    went = ["RUNS", "OK", "P95", "LAST"] if known else []
    heads = ["JOURNEY", "EVERY", "WITHIN", "OWNER", "APPS", *went, ""]
    table(heads, rows, ["EVERY", "WITHIN", *went[:3]])
    return 0


def _statuses(file: str) -> dict[str, dict[str, Any]]:
    """How they go, by name, where the fleet's probe runs them; empty where none does."""
    with suppress(Failed, ControlError):
        for row in control(file).status()["attendants"]:
            if row["id"] == JOURNEYS and row["state"] == "ready":
                return {one["name"]: one for one in ask(row["url"], "/journeys")}
    return {}


def _went(status: dict[str, Any] | None) -> list[str]:
    if status is None or status["last"] is None:
        return ["-"] * 4
    runs = status["runs"]
    share = f"{100 * (runs - status['failed']) / runs:.4g} %"
    p95 = "-" if status["p95"] is None else duration(status["p95"])
    last = paint("ok", "green") if status["last"]["ok"] else paint("failed", "red")
    return [str(runs), share, p95, last]


def run(
    names: list[str],
    paths: list[str] | None,
    urls: list[str] | None,
    in_process: bool,
    repeat: int,
    as_json: bool,
    file: str,
) -> int:
    """Run journeys; 1 when one has failed."""
    if repeat < 1:
        fail("--repeat is 1 at least", 2)
    given = _addresses(urls or ())
    if given and in_process:
        fail("--url and --in-process say two things of where to run: only one can be", 2)
    journeys = chosen(find(_places(paths, file)), names)
    from .journeying import Where, go  # what runs them, which a mistake need not wait for

    if in_process:
        where = Where({}, "", fleet_file(file))
    else:
        where = Where(given, _socket(file, bool(given)), None)
    results = asyncio.run(go(journeys, where, repeat, _shots(file), quiet=as_json))
    failed = sum(not result.ok for result in results)
    if as_json:
        echo_json(to_builtins(results))
    elif len(results) > 1:
        note(f"{several(len(results), 'run')}, {failed} failed" if failed else "all ok")
    return 1 if failed else 0


def _socket(file: str, optional: bool) -> str:
    """The control API of the fleet that runs; empty where none does and none is needed."""
    try:
        fleet = control(file)
        fleet.status()
    except (Failed, ControlError) as error:
        if optional:
            return ""
        fail(f"{error}; or say --in-process, or --url APP=https://… where the apps are")
    return str(fleet.socket)


def _places(paths: list[str] | None, file: str) -> list[str]:
    if paths:
        return paths
    try:
        folder = _folder(fleet_file(file))
    except Failed:
        if file:
            raise
        folder = Path(FOLDER)
    if not folder.exists():
        fail(f"there is no folder {folder}: journeys are there, or where --path says")
    return [str(folder)]


def _folder(fleet: Path) -> Path:
    """Where ``[journeys]`` of a fleet file says."""
    from skerry.spec import load

    return load(fleet).journeys.path


def _addresses(given: list[str] | tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        app, sign, url = one.partition("=")
        if not (app and sign and url):
            fail(f"--url {one}: say APP=URL, as quotes=https://quotes.example", 2)
        found[app] = f"{found[app]},{url}" if app in found else url
    return found


def _shots(file: str) -> Path | None:
    """Where screenshots go: beside what else the fleet writes; None where there is no fleet."""
    try:
        return fleet_file(file).parent / ".skerry" / "journeys"
    except Failed:
        return None


def _described(journey: Journey) -> dict[str, object]:
    return {
        "name": journey.name,
        "summary": journey.summary,
        "every": journey.every,
        "within": journey.within,
        "owner": journey.owner,
        "apps": list(dict.fromkeys(need.app for need in journey.needs if need.app)),
        "file": journey.file,
        "line": journey.line,
    }
