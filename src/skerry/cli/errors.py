"""``skerry errors``: what is wrong, where it was born, and whom it hurts."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from .collected import ask, collector
from .output import age, echo_json, note, paint, several, sparkline, table

_STACK_LINES = 40


def ls(
    app: str,
    state: str,
    text: str,
    problems: bool,
    count: int,
    as_json: bool,
    url: str,
    file: str,
) -> int:
    """List incidents, the one that was seen last first."""
    place = collector(url, file)
    rows = ask(
        place,
        "/api/skerry/incidents",
        service=app,
        state=state,
        text=text,
        problems="true" if problems else None,
        limit=count,
    )
    if as_json:
        echo_json(rows)
        return 0
    if not rows:
        if app or text:
            note("no incident is like that")
        else:
            note("nothing is wrong" if not state else f"no incident is {state}")
        return 0
    now = time.time()
    table(
        ("ID", "STATE", "APP", "WHAT", "COUNT", "LAST", "FIRST", "LAST HOUR", "HURTS"),
        [
            [
                row["id"][:8],
                row["state"],
                row["service"],
                what(row),
                str(row["count"]),
                age(now - row["last"]),
                age(now - row["first"]),
                sparkline(row["sparkline"], 12),
                ", ".join(row["services"][1:]),
            ]
            for row in rows
        ],
        right=("COUNT", "LAST", "FIRST"),
        spare=("FIRST", "LAST HOUR"),
    )
    return 0


def show(id: str, as_json: bool, url: str, file: str) -> int:
    """All that is known of an incident."""
    one = ask(collector(url, file), f"/api/skerry/incidents/{id}")
    if as_json:
        echo_json(one)
        return 0
    print(paint(f"{one['service']}: {what(one)}", "red"))
    hours = sparkline(one["sparkline"], 30)
    facts = [
        ("id", one["id"]),
        ("state", one["state"]),
        ("operation", _asked(one)),
        ("message", one["message"]),
        ("where", f"{one['where']}, line {one['line']}" if one["line"] else one["where"]),
        ("owner", " ".join(filter(None, [one["owner"], one["team"] and f"({one['team']})"]))),
        ("seen", f"{one['count']} times, {_moment(one['first'])} to {_moment(one['last'])}"),
        ("last hour", hours if hours.strip() else ""),
        ("handled", f"{one['handled']} of them hurt no request" if one["handled"] else ""),
        ("releases", ", ".join(_release(one, name) for name in one["releases"])),
        ("resolved", _moment(one["resolved"]) if one["resolved"] else ""),
        ("alert", one["alert"] or ""),
    ]
    for name, value in facts:
        if value:
            print(f"  {name:10} {value}")
    for index, hurt in enumerate(one["hurt"]):
        who = f"{hurt['service']} {hurt['operation']}"
        print(f"  {'hurts' if index == 0 else '':10} {who}, {several(hurt['count'], 'time')}")
    traces = dict.fromkeys(seen["trace_id"] for seen in one["seen"])  # a retry is seen again
    for index, trace in enumerate(list(traces)[:3]):
        print(f"  {'traces' if index == 0 else '':10} skerry trace show {trace}")
    for name in ("stack", "local"):
        if one[name]:
            print()
            print("\n".join(one[name].rstrip().splitlines()[-_STACK_LINES:]))
    return 0


def resolve(id: str, next_release: bool, as_json: bool, url: str, file: str) -> int:
    """Say that an incident is over."""
    body = {"by_next_release": next_release}
    one = ask(collector(url, file), f"/api/skerry/incidents/{id}/resolve", body)
    return _changed(one, as_json)


def reopen(id: str, as_json: bool, url: str, file: str) -> int:
    """Say that it is not."""
    return _changed(ask(collector(url, file), f"/api/skerry/incidents/{id}/reopen", {}), as_json)


def _changed(one: dict[str, Any], as_json: bool) -> int:
    if as_json:
        echo_json(one)
    else:
        print(f"{one['id'][:8]} {one['service']}: {what(one)}: {one['state']}")
    return 0


def what(row: dict[str, Any]) -> str:
    """An incident in some words."""
    if row["kind"] == "unanswered":
        return "does not answer" + (f" ({row['type']})" if row["type"] else "")
    where = f" in {row['where']}" if row["where"] else f" in {row['operation']}"
    return f"{row['type']}{where}"


def _asked(one: dict[str, Any]) -> str:
    if len(one["asked"]) < 2:
        return str(one["operation"])
    return ", ".join(f"{each['operation']} ({each['count']})" for each in one["asked"])


def _release(one: dict[str, Any], name: str) -> str:
    first = one["since"].get(name)
    return f"{name} since {_moment(first)}" if first else name


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ", "seconds").replace("+00:00", "Z")
