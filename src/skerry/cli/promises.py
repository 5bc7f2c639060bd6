"""``skerry objectives`` and ``skerry alerts``: what apps have promised, and who has been told."""

from __future__ import annotations

import time
from typing import Any

from .collected import ask, collector
from .output import age, duration, echo_json, note, paint, table

_COLOURS = {"page": "red", "ticket": "yellow"}


def objectives(as_json: bool, url: str, file: str) -> int:
    """List objectives, and how they stand."""
    rows = ask(collector(url, file), "/api/skerry/objectives")
    if as_json:
        echo_json(rows)
        return 0
    if not rows:
        note("no app has been seen yet")
        return 0
    windows = list(rows[0]["burn"])
    table(
        ("APP", "ENDPOINT", "PROMISE", "IS", "OF", "BUDGET LEFT", *windows, "BURNING"),
        [
            [
                row["app"],
                row["endpoint"] or "all",
                promise(row),
                "" if row["good"] is None else f"{row['good']:.3f} %",
                str(row["total"]),
                f"{row['left'] * 100:.0f} %",
                *(f"{row['burn'][window]:g}" for window in windows),
                row["burning"] or "",
            ]
            for row in sorted(rows, key=lambda row: row["left"])
        ],
        right=("IS", "OF", "BUDGET LEFT", *windows),
        spare=tuple(reversed(windows)),
    )
    return 0


def promise(row: dict[str, Any]) -> str:
    """``99.9 % answered``, ``99 % in 300ms``."""
    if row["latency"] is None:
        return f"{row['target']:g} % answered"
    return f"{row['target']:g} % in {duration(row['latency'])}"


def alerts(all: bool, as_json: bool, url: str, file: str) -> int:
    """List alerts; exits with 1 while one goes on."""
    rows = ask(collector(url, file), "/api/skerry/alerts")
    firing = [row for row in rows if row["state"] == "firing"]
    shown = rows if all else firing
    if as_json:
        echo_json(shown)
        return 1 if firing else 0
    if not shown:
        note("no alert goes on")
    now = time.time()
    for row in shown:
        colour = _COLOURS[row["severity"]] if row["state"] == "firing" else "dim"
        print(paint(row["summary"], colour))
        facts = [("owner", row["owner"] or "nobody"), ("since", f"{age(now - row['since'])} ago")]
        if row["until"]:
            facts.append(("until", f"{age(now - row['until'])} ago"))
        facts += [("breaks", _broken(one)) for one in row["causes"]]
        facts += [("hurts", _broken(one)) for one in row["victims"]]
        facts += [("look at", f"skerry errors show {id[:8]}") for id in row["incidents"][:3]]
        before = ""
        for name, value in facts:
            print(f"  {'' if name == before else name:10} {value}")
            before = name
    return 1 if firing else 0


def _broken(one: dict[str, Any]) -> str:
    return f"{one['app']} {one['endpoint'] or 'as a whole'}: {one['measure']}"
