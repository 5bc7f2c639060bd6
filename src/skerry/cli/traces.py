"""``skerry trace``: find requests, and see where their time went."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any

from .collected import ask, collector
from .output import age, coloured, duration, echo_json, fail, note, paint, several, table

_DAY_MS = 86_400_000


def ls(
    app: str,
    name: str,
    errors: bool,
    slower: str,
    where: list[str] | None,
    since: str,
    count: int,
    as_json: bool,
    url: str,
    file: str,
) -> int:
    """List traces, newest first."""
    place = collector(url, file)
    terms = [*(where or []), *(["error"] if errors else [])]
    traces = ask(
        place,
        "/api/v2/traces",
        serviceName=app,
        spanName=name,
        annotationQuery=" and ".join(terms),
        minDuration=int(seconds_of(slower) * 1e6) if slower else None,
        lookback=int(seconds_of(since) * 1000) if since else _DAY_MS,
        limit=count,
    )
    found = [summary(trace) for trace in traces]
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
                ", ".join(row["failed"]),
            ]
            for row in found
        ],
        right=("AGE", "TOOK", "SPANS", "APPS"),
        spare=("APPS", "SPANS"),
    )
    return 0


def summary(trace: list[dict[str, Any]]) -> dict[str, Any]:
    """A trace in one line: what it was, how long it took, who took part, who failed."""
    known = [span for span in trace if span.get("timestamp")]
    ids = {span["id"] for span in trace}
    roots = [span for span in known if span.get("parentId") not in ids] or known or trace
    root = min(roots, key=lambda span: span.get("timestamp", 0))
    begin = min((span["timestamp"] for span in known), default=0)
    end = max((span["timestamp"] + span.get("duration", 0) for span in known), default=0)
    return {
        "trace_id": trace[0]["traceId"],
        "began": begin / 1e6,
        "app": _service(root),
        "name": root.get("name", ""),
        "seconds": (end - begin) / 1e6,
        "spans": len(trace),
        "apps": sorted({_service(span) for span in trace} - {""}),
        "failed": sorted({_service(s) for s in trace if "error" in s.get("tags", {})} - {""}),
    }


def show(id: str, attributes: bool, as_json: bool, url: str, file: str) -> int:
    """Draw one trace."""
    spans = ask(collector(url, file), f"/api/skerry/traces/{id}")
    if as_json:
        echo_json(spans)
        return 0
    import msgspec

    from skerry.observe.model import Span

    from .waterfall import lines, rows

    trace = msgspec.convert(spans, list[Span])
    found = rows(trace)
    apps = len({row.service for row in found})
    whole = max((row.offset or 0) + (row.seconds or 0) for row in found)
    wrong = sum(bool(row.trouble) for row in found)
    said = f"trace {trace[0].trace_id}  {duration(whole)}  {several(len(found), 'span')}"
    said += f"  {several(apps, 'app')}" + (f"  {several(wrong, 'error')}" if wrong else "")
    print(paint(said, "dim"))
    width = shutil.get_terminal_size((100, 24)).columns
    for row, line in zip(found, lines(found, width, coloured(sys.stdout)), strict=True):
        print(line.rstrip())
        if attributes:
            for key, value in sorted(row.span.tags.items()):
                print(paint(f"    {key} = {value}", "dim"))
    return 0


def _service(span: dict[str, Any]) -> str:
    return str(span.get("localEndpoint", {}).get("serviceName", ""))


_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_of(text: str) -> float:
    """``200ms``, ``1.5s``, ``2h``; fails with words for people."""
    number = text.rstrip("usmhdµ")
    try:
        return float(number) * _UNITS[text[len(number) :]]
    except (ValueError, KeyError):
        fail(f"{text!r} is no time; write it like 200ms, 1.5s or 2h")
