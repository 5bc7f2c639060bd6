"""``skerry endpoints``: how often, how well and how fast each endpoint and handler answers."""

from __future__ import annotations

import time
from typing import Any

from .collected import ask, collector
from .output import duration, echo_json, fail, note, often, sparkline, table
from .traces import seconds_of

_LONGEST = 86_400.0
_BARS = 20


def ls(app: str, name: str, since: str, series: bool, as_json: bool, url: str, file: str) -> int:
    """List endpoints and handlers by app and name."""
    seconds = seconds_of(since)
    if not 0 < seconds <= _LONGEST:
        fail("endpoints are told of a day at most: --since 1m to --since 24h")
    if series and not (app and as_json):
        fail("--series is what charts show of one app: skerry endpoints APP --series --json")
    now = time.time()
    found = ask(
        collector(url, file),
        "/api/skerry/endpoints",
        service=app,
        name=name,
        since=now - seconds,
        until=now,
        series="true" if series else "",
    )
    if as_json:
        echo_json(found)
        return 0
    if not found["endpoints"]:
        note(f"nobody asked {app or 'anybody'} for anything in the last {since}")
        return 0
    table(
        ("APP", "ENDPOINT", "RATE", "FAILED", "P50", "P95", "P99", f"LAST {since}", "PROMISE"),
        [_row(one, found["objectives"]) for one in found["endpoints"]],
        right=("RATE", "FAILED", "P50", "P95", "P99"),
        spare=(f"LAST {since}", "P50", "P95"),
    )
    return 0


def _row(one: dict[str, Any], objectives: list[dict[str, Any]]) -> list[str]:
    return [
        one["service"],
        titled(one["name"]),
        often(one["rate"]),
        f"{one['errors'] / one['count']:.1%}" if one["errors"] else "",
        *("" if one[key] is None else duration(one[key]) for key in ("p50", "p95", "p99")),
        sparkline(one["counts"], _BARS),
        standing(one, objectives),
    ]


def titled(name: str) -> str:
    """``POST /quotes``: spans have names in lower case."""
    method, space, path = name.partition(" ")
    return f"{method.upper()}{space}{path}" if path.startswith("/") else name


def standing(one: dict[str, Any], objectives: list[dict[str, Any]]) -> str:
    """How the promise stands that is in the greatest danger: one of the endpoint itself or, where
    there is none, of its app."""
    own = [each for each in objectives if each["app"].lower() == one["service"]]
    named = [each for each in own if each["endpoint"].lower() == one["name"].lower()]
    some = named or [each for each in own if not each["endpoint"]]
    if not some:
        return ""
    worst = min(some, key=lambda each: (_DANGER.index(each["burning"]), each["left"]))
    whose = "" if named else " (app)"
    if worst["burning"]:
        return f"burns: {worst['burning']}{whose}"
    return ("overdrawn" if worst["left"] < 0 else f"{worst['left']:.0%} left") + whose


_DANGER = ("page", "ticket", None)
