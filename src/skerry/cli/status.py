"""``skerry ps``: who runs, and how it goes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

from .output import age, echo_json, table
from .place import control

_WHO = ("APP", "STATE", "ADDRESS")
_NUMBERS = ("PID", "RESTARTS", "AGE", "MIB", "REQUESTS", "ERRORS", "P50 MS", "P99 MS")
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
    table((*_WHO, *_NUMBERS), list(rows(status, now)), right=_NUMBERS, spare=_SPARE)
    print(f"\nfleet {status['fleet']} in {status['root']}; front door: {status['front']}")
    for remark in status["notes"]:
        print(f"note: {remark}")
    for row in (*status["backings"], *status["edges"], *status["instances"]):
        if row["state"] in _BROKEN:
            print(f"\n{row['id']} is {row['state']}" + (row["detail"] and f": {row['detail']}"))
            for line in row["last"]:
                print(f"    {line}")


def rows(status: dict[str, Any], now: float) -> Iterator[list[str]]:
    """A row for each app with its counts; where it has several instances, one for each below."""
    for app in status["apps"]:
        instances = [row for row in status["instances"] if row["app"] == app["app"]]
        counts = _counts(app["counts"])
        if len(instances) == 1:
            yield [app["app"], *_process(instances[0], now), *counts]
            continue
        state = f"{app['ready']}/{len(instances)} ready" if instances else app["state"]
        yield [app["app"], state, app["url"], *[""] * 4, *counts]
        for row in instances:
            yield [f"  {row['id']}", *_process(row, now), *_counts(row["counts"])]
    for row in (*status["backings"], *status["edges"]):
        yield [row["id"], *_process(row, now), *_counts(row["counts"])]


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
    durations = (counts["p50_ms"], counts["p99_ms"])
    return [
        str(counts["requests"]),
        str(counts["errors"]),
        *("" if ms is None else f"{ms:.1f}" for ms in durations),
    ]
