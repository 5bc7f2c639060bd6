"""``skerry ps``: who runs, and how it goes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

from .output import age, echo_json, table
from .place import control

_WHO = ("APP", "STATE", "ADDRESS")
_PROCESS = ("PID", "RESTARTS", "AGE", "MIB")
_COUNTS = ("REQUESTS", "ERRORS", "P50 MS", "P99 MS")
_EVENTS = ("EVENTS", "FAILED")
_SPARE = ("MIB", "PID", "AGE", "RESTARTS")
_BROKEN = ("crashed", "backoff", "unhealthy")
_TO_THE_TOP = "\x1b[H\x1b[2J"


def ps(file: str, as_json: bool, watch: float) -> int:
    """Show the fleet, once or every ``watch`` seconds."""
    fleet = control(file)
    while True:
        status = fleet.status()
        if as_json:
            echo_json(status)
        else:
            if watch and sys.stdout.isatty():
                print(_TO_THE_TOP, end="")
            show(status, time.time())
        if not watch:
            return 0
        sys.stdout.flush()
        time.sleep(watch)


def show(status: dict[str, Any], now: float) -> None:
    """Print the table, and below it what needs somebody's attention."""
    handling = any(app["counts"]["events"] for app in status["apps"])
    numbers = (*_PROCESS, *_COUNTS, *(_EVENTS if handling else ()))
    shown = list(rows(status, now, handling))
    table((*_WHO, *numbers), shown, right=numbers, spare=_SPARE)
    console = f"; console: {status['console']}" if status["console"] else ""
    print(f"\nfleet {status['fleet']} in {status['root']}; front door: {status['front']}{console}")
    for remark in status["notes"]:
        print(f"note: {remark}")
    groups = ("backings", "edges", "attendants", "instances")
    for row in (row for group in groups for row in status[group]):
        if row["state"] in _BROKEN:
            print(f"\n{row['id']} is {row['state']}" + (row["detail"] and f": {row['detail']}"))
            for line in row["last"]:
                print(f"    {line}")


def rows(status: dict[str, Any], now: float, handling: bool = False) -> Iterator[list[str]]:
    """A row for each app with its counts; where it has several instances, one for each below.

    Args:
        handling: whether to say what they have handled.
    """

    def counts(found: dict[str, Any] | None) -> list[str]:
        return [*_counts(found), *(_events(found) if handling else ())]

    for app in status["apps"]:
        instances = [row for row in status["instances"] if row["app"] == app["app"]]
        if len(instances) == 1:
            yield [app["app"], *_process(instances[0], now), *counts(app["counts"])]
            continue
        state = f"{app['ready']}/{len(instances)} ready" if instances else app["state"]
        yield [app["app"], state, app["url"], *[""] * 4, *counts(app["counts"])]
        for row in instances:
            yield [f"  {row['id']}", *_process(row, now), *counts(row["counts"])]
    for row in (*status["backings"], *status["edges"], *status["attendants"]):
        yield [row["id"], *_process(row, now), *counts(row["counts"])]


def _process(row: dict[str, Any], now: float) -> list[str]:
    return [
        row["state"],
        row["url"],
        str(row["pid"] or ""),
        str(row["restarts"]),
        age(now - row["since"]),
        "" if row["memory_mib"] is None else f"{row['memory_mib']:.0f}",
    ]


def _counts(counts: dict[str, Any] | None) -> list[str]:
    if counts is None:
        return [""] * 4
    daemon = counts["events"] and not counts["requests"]
    durations = ("events_p50_ms", "events_p99_ms") if daemon else ("p50_ms", "p99_ms")
    return [
        str(counts["requests"]),
        str(counts["errors"]),
        *("" if counts[key] is None else f"{counts[key]:.1f}" for key in durations),
    ]


def _events(counts: dict[str, Any] | None) -> list[str]:
    if counts is None or not counts["events"]:
        return [""] * 2
    return [str(counts["events"]), str(counts["events_failed"])]
