"""Metrics as text for scrapers: Prometheus 0.0.4 and OpenMetrics 1.0.

One writer serves both. OpenMetrics names a counter's family without ``_total``, tells units and
when counting began, has a last line, and behind the count of a bucket an *exemplar*: one sample
that is in it, with the trace in which it can be looked at.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from math import inf
from typing import Any

from .histogram import UNIT, Histogram
from .outcome import group_of

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

# Powers of two of a second, because there the histogram's own buckets end: these counts are
# exact. From half a millisecond to half a minute.
BOUNDS = tuple(2.0**exponent for exponent in range(-11, 6))

_OPENMETRICS = "application/openmetrics-text"
_UNITS = ("seconds", "bytes", "ratio")

_FAMILIES = {
    "server": ("skerry_server_request", "Requests served"),
    "client": ("skerry_client_request", "Calls to other apps, retries included"),
    "attempt": ("skerry_client_attempt", "Single attempts at calling other apps"),
    "consumer": ("skerry_handler_attempt", "Attempts of handlers at events"),
    "journey": ("skerry_journey", "Runs of journeys and, where peer is one, their steps"),
}


def negotiate(accept: str) -> tuple[str, bool]:
    """The content type for an ``Accept`` header (RFC 9110, 12.5.1), and whether it is OpenMetrics:
    that is for those who name it, and like it no less than the other."""
    wishes: dict[str, float] = {}
    for one in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in one.split(";"))
        given = dict(part.partition("=")[::2] for part in parameters)
        if kind == _OPENMETRICS and given.get("version", "1.0.0") not in ("1.0.0", "0.0.1"):
            continue  # of a format to come
        wishes[kind] = max(wishes.get(kind, 0.0), _quality(given.get("q", "1")))
    least = wishes.get("text/plain", 0.0)
    wanted = wishes.get(_OPENMETRICS, 0.0)
    return (OPENMETRICS, True) if wanted and wanted >= least else (PROMETHEUS, False)


def _quality(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0


def text(snapshot: Mapping[str, Any], *, openmetrics: bool = False, since: float = 0.0) -> str:
    """The exposition of a snapshot of ``Metrics``.

    Args:
        since: when counting began, in seconds since 1970; 0 where nobody knows.
    """
    writer = _Writer(openmetrics, since)
    for kind, (family, subject) in _FAMILIES.items():
        series = [one for one in snapshot["series"] if one["kind"] == kind]
        if series:
            writer.histograms(f"{family}_duration_seconds", subject, series)
            writer.in_flight(f"{family}s_in_flight", subject, series)
    writer.counters(snapshot["counters"])
    writer.gauges(snapshot.get("gauges", ()))
    if openmetrics:
        writer.lines.append("# EOF")
    return "\n".join(writer.lines) + "\n"


class _Writer:
    """Writes families, as one format or the other has them."""

    def __init__(self, openmetrics: bool, since: float) -> None:
        self.lines: list[str] = []
        self._openmetrics = openmetrics
        self._created = f"{since:.3f}" if openmetrics and since else ""

    def histograms(self, name: str, subject: str, series: list[Mapping[str, Any]]) -> None:
        help = f"{subject}: how many, and how long until the end of the answer."
        self._head(name, help, "histogram")
        for one in series:
            for outcome, document in sorted(one["outcomes"].items()):
                status = outcome if outcome[0].isdigit() else ""
                group = group_of(outcome)
                labels = _labels({**_names(one), "outcome": group, "status": status})
                self._histogram(name, labels, document)

    def _histogram(self, name: str, labels: str, document: Mapping[str, Any]) -> None:
        histogram, write = Histogram.of(document), self.lines.append
        seen = _by_bound(document.get("exemplars", ())) if self._openmetrics else {}
        for bound, count in zip(BOUNDS, histogram.at_most(BOUNDS), strict=True):
            write(f'{name}_bucket{{{labels},le="{bound!r}"}} {count}{seen.get(bound, "")}')
        write(f'{name}_bucket{{{labels},le="+Inf"}} {histogram.count}{seen.get(inf, "")}')
        write(f"{name}_sum{{{labels}}} {histogram.total / UNIT!r}")
        write(f"{name}_count{{{labels}}} {histogram.count}")
        if self._created:
            write(f"{name}_created{{{labels}}} {self._created}")

    def in_flight(self, name: str, subject: str, series: list[Mapping[str, Any]]) -> None:
        self._head(name, f"{subject}: how many are under way.", "gauge")
        for one in series:
            self.lines.append(f"{name}{{{_labels(_names(one))}}} {one['in_flight']}")

    def counters(self, counters: Iterable[Mapping[str, Any]]) -> None:
        for name, same in _by_name(counters):
            family = name if self._openmetrics else f"{name}_total"
            self._head(family, same[0]["help"], "counter")
            for counter in same:
                labels = _braces(counter["labels"])
                self.lines.append(f"{name}_total{labels} {counter['value']}")
                if self._created:
                    self.lines.append(f"{name}_created{labels} {self._created}")

    def gauges(self, gauges: Iterable[Mapping[str, Any]]) -> None:
        for name, same in _by_name(gauges):
            self._head(name, same[0]["help"], "gauge")
            for gauge in same:
                self.lines.append(f"{name}{_braces(gauge['labels'])} {float(gauge['value'])!r}")

    def _head(self, family: str, help: str, kind: str) -> None:
        if help:
            said = _escape(help) if self._openmetrics else _escape_help(help)
            self.lines.append(f"# HELP {family} {said}")
        self.lines.append(f"# TYPE {family} {kind}")
        unit = family.rpartition("_")[2]
        if self._openmetrics and unit in _UNITS:
            self.lines.append(f"# UNIT {family} {unit}")


def _by_bound(exemplars: Iterable[tuple[str, str, float, float]]) -> dict[float, str]:
    """What stands behind the count of each bucket: the newest exemplar of those in it."""
    newest: dict[float, tuple[float, str]] = {}
    for trace_id, span_id, seconds, moment in exemplars:
        place = bisect_left(BOUNDS, seconds)
        bound = BOUNDS[place] if place < len(BOUNDS) else inf
        if moment >= newest.get(bound, (0.0, ""))[0]:
            ids = f'{{trace_id="{trace_id}",span_id="{span_id}"}}'
            newest[bound] = moment, f" # {ids} {seconds!r} {moment:.3f}"
    return {bound: said for bound, (_, said) in newest.items()}


def _by_name(
    metrics: Iterable[Mapping[str, Any]],
) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    ordered = sorted(metrics, key=lambda m: (m["name"], sorted(m["labels"].items())))
    for name, same in groupby(ordered, key=lambda m: str(m["name"])):
        yield name, list(same)


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
