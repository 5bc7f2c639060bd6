"""``skerry trace``: find requests, and see where their time went."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any

from skerry.fleet.logtext import readable

from .collected import ask, collector
from .output import age, coloured, duration, echo_json, fail, note, paint, several, table


def ls(
    app: str,
    name: str,
    errors: bool,
    slower: str,
    faster: str,
    where: list[str] | None,
    since: str,
    no_schedules: bool,
    slowest: bool,
    count: int,
    as_json: bool,
    url: str,
    file: str,
) -> int:
    """List traces, newest first."""
    found = ask(
        collector(url, file),
        "/api/skerry/traces",
        app=app,
        name=name,
        errors="true" if errors else "",
        where=" and ".join(where or []),
        slower=seconds_of(slower) if slower else "",
        faster=seconds_of(faster) if faster else "",
        lookback=seconds_of(since) if since else "",
        schedules="false" if no_schedules else "",
        order="slowest" if slowest else "",
        limit=count,
    )["traces"]
    if as_json:
        echo_json(found)
        return 0
    if not found:
        note("no trace is like that; spans of the last second may be on their way")
        return 0
    now = time.time()
    table(
        ("TRACE", "AGE", "APP", "WHAT", "TOOK", "SPANS", "APPS", "FAILED"),
        [
            [
                row["trace_id"],
                age(now - row["began"]),
                row["app"],
                row["name"],
                duration(row["seconds"]),
                str(row["spans"]),
                str(len(row["apps"])),
                ", ".join(sorted(share["app"] for share in row["apps"] if share.get("errors"))),
            ]
            for row in found
        ],
        right=("AGE", "TOOK", "SPANS", "APPS"),
        spare=("APPS", "SPANS"),
    )
    return 0


def show(
    id: str, attributes: bool, logs: bool, drawn: bool, as_json: bool, url: str, file: str
) -> int:
    """Draw one trace."""
    spans = ask(collector(url, file), f"/api/skerry/traces/{id}")
    said = _logged(file, spans[0]["traceId"]) if logs else []
    if as_json and not drawn:
        echo_json({"spans": spans, "logs": said} if logs else spans)
        return 0
    import msgspec

    from skerry.observe.model import Span
    from skerry.observe.waterfall import waterfall

    from .waterfall import lines, rows

    trace = msgspec.convert(spans, list[Span])
    if as_json:
        picture = msgspec.to_builtins(waterfall(trace))
        echo_json({**picture, "logs": said} if logs else picture)
        return 0
    found = rows(trace)
    apps = len({row.service for row in found})
    whole = max((row.offset or 0) + (row.seconds or 0) for row in found)
    wrong = sum(bool(row.trouble) for row in found)
    head = f"trace {trace[0].trace_id}  {duration(whole)}  {several(len(found), 'span')}"
    head += f"  {several(apps, 'app')}" + (f"  {several(wrong, 'error')}" if wrong else "")
    print(paint(head, "dim"))
    below = _by_span(said, [row.id for row in found])
    width = shutil.get_terminal_size((100, 24)).columns
    for row, line in zip(found, lines(found, width, coloured(sys.stdout)), strict=True):
        print(line.rstrip())
        if attributes:
            for key, value in sorted(row.tags.items()):
                print(paint(f"    {key} = {value}", "dim"))
        for one in below.pop(row.id, ()):
            _print_line(one)
    return 0


def _logged(file: str, id: str) -> list[dict[str, Any]]:
    from .logs import of_trace

    return of_trace(file, id)


def _by_span(said: list[dict[str, Any]], ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Lines by the span they were said in; those of a span that is not there by the first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in said:
        span = line.get("span", "")
        found.setdefault(span if span in ids else ids[0], []).append(line)
    return found


def _print_line(line: dict[str, Any]) -> None:
    text = readable({**line, "trace": ""}, coloured(sys.stdout))
    for index, one in enumerate(text.split("\n")):
        who = f"{line['time'][11:23]} {line['source']}"
        print(paint(f"    {who if index == 0 else '':{len(who)}} | ", "dim") + one)


def links(id: str, as_json: bool, url: str, file: str) -> int:
    """List the traces that one comes from, and those that come from it."""
    found = ask(collector(url, file), f"/api/skerry/traces/{id}/links")
    if as_json:
        echo_json(found)
        return 0
    sides = [("comes from", one) for one in found["before"]]
    sides += [("led to", one) for one in found["after"]]
    if not sides:
        note("it is linked to no other trace")
        return 0
    table(
        ("", "TRACE", "APP", "WHAT", "TOOK", "FAILED"),
        [
            [
                side,
                one["trace_id"],
                one["app"],
                one["name"] if one["trace"] else "(not kept)",
                duration(one["trace"]["seconds"]) if one["trace"] else "",
                "yes" if one["trace"] and one["trace"]["errors"] else "",
            ]
            for side, one in sides
        ],
        right=("TOOK",),
    )
    return 0


_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_of(text: str) -> float:
    """``200ms``, ``1.5s``, ``2h``; fails with words for people."""
    number = text.rstrip("usmhdµ")
    try:
        return float(number) * _UNITS[text[len(number) :]]
    except (ValueError, KeyError):
        fail(f"{text!r} is no time; write it like 200ms, 1.5s or 2h")
