"""Metrics as text for scrapers: Prometheus 0.0.4 and OpenMetrics 1.0.

The two differ in how a counter's family is named, in how bounds are written and in the last
line; one writer serves both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from .histogram import UNIT, Histogram
from .outcome import group_of

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

# Powers of two of a second, because there the histogram's own buckets end: these counts are
# exact. From half a millisecond to half a minute.
BOUNDS = tuple(2.0**exponent for exponent in range(-11, 6))

_FAMILIES = {
    "server": ("skerry_server_request", "Requests served"),
    "client": ("skerry_client_request", "Calls to other apps, retries included"),
    "attempt": ("skerry_client_attempt", "Single attempts at calling other apps"),
    "consumer": ("skerry_handler_attempt", "Attempts of handlers at events"),
    "journey": ("skerry_journey", "Runs of journeys and, where peer is one, their steps"),
}


def negotiate(accept: str) -> tuple[str, bool]:
    """The content type for an ``Accept`` header, and whether it is OpenMetrics."""
    wanted = "application/openmetrics-text" in accept.lower()
    return (OPENMETRICS, True) if wanted else (PROMETHEUS, False)


def text(snapshot: Mapping[str, Any], *, openmetrics: bool = False) -> str:
    """The exposition of a snapshot of ``Metrics``."""
    lines: list[str] = []
    for kind, (family, subject) in _FAMILIES.items():
        series = [one for one in snapshot["series"] if one["kind"] == kind]
        if series:
            lines += _histograms(f"{family}_duration_seconds", subject, series)
            lines += _in_flight(f"{family}s_in_flight", subject, series)
    lines += _counters(snapshot["counters"], openmetrics)
    lines += _gauges(snapshot.get("gauges", ()))
    if openmetrics:
        lines.append("# EOF")
    return "\n".join(lines) + "\n"


def _histograms(name: str, subject: str, series: list[Mapping[str, Any]]) -> Iterator[str]:
    yield f"# HELP {name} {subject}: how many, and how long until the end of the answer."
    yield f"# TYPE {name} histogram"
    for one in series:
        for outcome, document in sorted(one["outcomes"].items()):
            histogram = Histogram.of(document)
            status = outcome if outcome[0].isdigit() else ""
            group = group_of(outcome)
            labels = _labels({**_names(one), "outcome": group, "status": status})
            for bound, count in zip(BOUNDS, histogram.at_most(BOUNDS), strict=True):
                yield f'{name}_bucket{{{labels},le="{bound!r}"}} {count}'
            yield f'{name}_bucket{{{labels},le="+Inf"}} {histogram.count}'
            yield f"{name}_sum{{{labels}}} {histogram.total / UNIT!r}"
            yield f"{name}_count{{{labels}}} {histogram.count}"


def _in_flight(name: str, subject: str, series: list[Mapping[str, Any]]) -> Iterator[str]:
    yield f"# HELP {name} {subject}: how many are under way."
    yield f"# TYPE {name} gauge"
    for one in series:
        yield f"{name}{{{_labels(_names(one))}}} {one['in_flight']}"


def _counters(counters: Iterable[Mapping[str, Any]], openmetrics: bool) -> Iterator[str]:
    for name, same in _by_name(counters):
        yield from _head(name if openmetrics else f"{name}_total", same[0]["help"], "counter")
        for counter in same:
            yield f"{name}_total{_braces(counter['labels'])} {counter['value']}"


def _gauges(gauges: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for name, same in _by_name(gauges):
        yield from _head(name, same[0]["help"], "gauge")
        for gauge in same:
            yield f"{name}{_braces(gauge['labels'])} {float(gauge['value'])!r}"


def _by_name(
    metrics: Iterable[Mapping[str, Any]],
) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    ordered = sorted(metrics, key=lambda m: (m["name"], sorted(m["labels"].items())))
    for name, same in groupby(ordered, key=lambda m: str(m["name"])):
        yield name, list(same)


def _head(family: str, help: str, kind: str) -> Iterator[str]:
    if help:
        yield f"# HELP {family} {_escape_help(help)}"
    yield f"# TYPE {family} {kind}"


def _braces(labels: Mapping[str, str]) -> str:
    return f"{{{_labels(labels)}}}" if labels else ""


def _names(series: Mapping[str, Any]) -> dict[str, str]:
    return {"app": series["app"], "route": series["route"], "peer": series["peer"]}


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _escape_help(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")
