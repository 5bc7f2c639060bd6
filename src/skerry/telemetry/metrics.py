"""What a process counts: calls by outcome and duration, calls under way, named events, and how
much there is of something just now.

Recording is what every request pays for, so it is one method on an object that its filter has
looked up before. Everything else works on *snapshots*, plain JSON values that travel from the
instances to whoever adds them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from skerry.core.clock import system

from . import exposition
from .histogram import Histogram, Recorded
from .outcome import OUTCOMES, group_of
from .spans import Tracer

Kind = Literal["server", "client", "attempt", "consumer", "journey"]
Merge = Literal["sum", "max"]
Snapshot: TypeAlias = dict[str, Any]
"""``{"series": [{"kind", "app", "route", "peer", "in_flight", "outcomes": {"2xx": histogram}}],
"counters": [{"name", "help", "labels": {}, "value"}],
"gauges": [{"name", "help", "labels": {}, "value", "merge"}]}``; see ``Histogram.document``."""

OVERFLOW = "_overflow"
"""The route and peer of everything that came after the registry was full."""


class Series:
    """The calls of one kind between one pair over one route.

    Attributes:
        in_flight: calls under way.
        histograms: durations by outcome, indexed like ``OUTCOMES``.
    """

    __slots__ = ("app", "histograms", "in_flight", "kind", "peer", "route")

    def __init__(self, kind: Kind, app: str, route: str, peer: str) -> None:
        self.kind, self.app, self.route, self.peer = kind, app, route, peer
        self.in_flight = 0
        self.histograms = [Histogram() for _ in OUTCOMES]

    def record(self, seconds: float, outcome: int, span: Recorded | None = None) -> None:
        """Count one call: its duration, its number in ``OUTCOMES``, and its span, if that is sent
        to anybody."""
        self.histograms[outcome].record(seconds, span)

    def count(self, group: str | None = None) -> int:
        """How many calls have ended so far; of one ``group_of`` outcomes, or in all."""
        return sum(
            histogram.count
            for name, histogram in zip(OUTCOMES, self.histograms, strict=True)
            if group is None or group == group_of(name)
        )

    def document(self, exemplars: bool = False) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "app": self.app,
            "route": self.route,
            "peer": self.peer,
            "in_flight": self.in_flight,
            "outcomes": {
                name: histogram.document() | (_shown(histogram) if exemplars else {})
                for name, histogram in zip(OUTCOMES, self.histograms, strict=True)
                if histogram.counts
            },
        }


def _shown(histogram: Histogram) -> dict[str, Any]:
    """Exemplars as JSON, by the wall's clock."""
    late = system.wall() - system.now()
    return {
        "exemplars": [
            [one.trace_id, one.span_id, one.seconds, one.ended + late]
            for one in histogram.exemplars()
        ]
    }


class Counter:
    """How often something has happened."""

    __slots__ = ("help", "labels", "name", "value")

    def __init__(self, name: str, help: str, labels: Mapping[str, str]) -> None:
        self.name, self.help, self.labels = name, help, dict(labels)
        self.value = 0

    def add(self, n: int = 1) -> None:
        self.value += n


class Gauge:
    """How much there is of something: what rises and falls.

    Attributes:
        value: None while nobody knows; then it is shown nowhere.
        merge: what several processes' values are together: ``sum`` where each has its own,
            ``max`` where all look at the same thing.
    """

    __slots__ = ("help", "labels", "merge", "name", "value")

    def __init__(self, name: str, help: str, labels: Mapping[str, str], merge: Merge) -> None:
        self.name, self.help, self.labels, self.merge = name, help, dict(labels), merge
        self.value: float | None = None

    def set(self, value: float | None) -> None:
        self.value = value


class Metrics:
    """Everything one process counts. One per process, or per app where several share one.

    Args:
        limit: how many series, how many counters and how many gauges are kept apart. What comes
            after them is counted together under ``OVERFLOW``, or, of gauges, not at all: a
            mistake in naming must not fill the memory.

    Attributes:
        tracer: where the spans of the same calls go.
        since: when counting began, in seconds since 1970.
    """

    def __init__(self, limit: int = 2_000) -> None:
        self.tracer = Tracer()
        self.since = system.wall()
        self._limit = limit
        self._series: dict[tuple[Kind, str, str, str], Series] = {}
        self._counters: dict[_Key, Counter] = {}
        self._gauges: dict[_Key, Gauge] = {}

    def series(self, kind: Kind, app: str, route: str = "", peer: str = "") -> Series:
        """The series of these names; always the same object.

        Args:
            kind: ``server``; ``client`` for whole calls; ``attempt`` for what they consist of.
            app: whose count this is.
            route: the operation; never anything that users can choose.
            peer: the app on the other side.
        """
        key = (kind, app, route, peer)
        found = self._series.get(key)
        if found is None:
            if len(self._series) >= self._limit:
                key = (kind, app, OVERFLOW, OVERFLOW)
                found = self._series.get(key)
            if found is None:
                found = self._series[key] = Series(*key)
        return found

    def counter(self, name: str, help: str = "", **labels: str) -> Counter:
        """The counter of this name and these labels; always the same object.

        Args:
            name: in the style of Prometheus, without ``_total``: ``skerry_retries``.
            help: what it counts, in a sentence.
        """
        key = _key(name, labels)
        found = self._counters.get(key)
        if found is None:
            if len(self._counters) >= self._limit:
                labels = dict.fromkeys(labels, OVERFLOW)
                key = _key(name, labels)
                found = self._counters.get(key)
            if found is None:
                found = self._counters[key] = Counter(name, help, labels)
        return found

    def gauge(self, name: str, help: str = "", merge: Merge = "sum", **labels: str) -> Gauge:
        """The gauge of this name and these labels; always the same object.

        Args:
            name: in the style of Prometheus, with its unit: ``skerry_outbox_oldest_seconds``.
            help: what it says, in a sentence.
            merge: see ``Gauge``.
        """
        key = _key(name, labels)
        found = self._gauges.get(key)
        if found is None:
            found = Gauge(name, help, labels, merge)
            if len(self._gauges) < self._limit:
                self._gauges[key] = found
        return found

    def __iter__(self) -> Iterator[Series]:
        return iter(list(self._series.values()))

    def snapshot(self, exemplars: bool = False) -> Snapshot:
        """Everything counted so far, as JSON; with samples that have traces, where wanted."""
        return {
            "series": [series.document(exemplars) for series in self],
            "counters": [
                {"name": c.name, "help": c.help, "labels": dict(c.labels), "value": c.value}
                for c in list(self._counters.values())
            ],
            "gauges": [
                {"name": g.name, "help": g.help, "labels": dict(g.labels)}
                | {"value": g.value, "merge": g.merge}
                for g in list(self._gauges.values())
                if g.value is not None
            ],
        }

    def prometheus(self) -> str:
        """In the text format that Prometheus scrapes."""
        return exposition.text(self.snapshot())

    def openmetrics(self) -> str:
        """In the text format of OpenMetrics 1.0, with exemplars."""
        return exposition.text(self.snapshot(exemplars=True), openmetrics=True, since=self.since)


_Key: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]


def _key(name: str, labels: Mapping[str, str]) -> _Key:
    return name, tuple(sorted(labels.items()))


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    """One snapshot as if one process had counted it all; exact, in whatever order."""
    series: dict[tuple[str, ...], dict[str, Any]] = {}
    counters: dict[_Key, dict[str, Any]] = {}
    gauges: dict[_Key, dict[str, Any]] = {}
    for snapshot in snapshots:
        for one in snapshot["series"]:
            key = (one["kind"], one["app"], one["route"], one["peer"])
            into = series.setdefault(key, {**one, "in_flight": 0, "outcomes": {}})
            into["in_flight"] += one["in_flight"]
            for name, document in one["outcomes"].items():
                histogram = into["outcomes"].setdefault(name, Histogram())
                histogram.add(Histogram.of(document))
        for counter in snapshot["counters"]:
            same = counters.setdefault(
                _key(counter["name"], counter["labels"]), {**counter, "value": 0}
            )
            same["value"] += counter["value"]
        for gauge in snapshot.get("gauges", ()):  # which instances of older releases do not have
            level = gauges.setdefault(_key(gauge["name"], gauge["labels"]), {**gauge, "value": 0})
            values = level["value"], gauge["value"]
            level["value"] = max(values) if gauge["merge"] == "max" else sum(values)
    for one in series.values():
        one["outcomes"] = {name: h.document() for name, h in one["outcomes"].items()}
    return {
        "series": list(series.values()),
        "counters": list(counters.values()),
        "gauges": list(gauges.values()),
    }


def quantile(snapshot: Snapshot, q: float, **where: str) -> float | None:
    """A quantile in seconds over all answered calls of the series that match ``where``.

    Cancelled calls are left out: they say how patient the caller was.

    Args:
        q: between 0 and 1.
        where: ``kind="server", app="quotes"``, …
    """
    return collect(snapshot, **where).quantile(q)


def collect(snapshot: Snapshot, **where: str) -> Histogram:
    """All durations of the series that match ``where``, cancelled calls left out."""
    found = Histogram()
    for one in snapshot["series"]:
        if all(one[key] == value for key, value in where.items()):
            for name, document in one["outcomes"].items():
                if name != "cancelled":
                    found.add(Histogram.of(document))
    return found


def count(snapshot: Snapshot, group: str | None = None, **where: str) -> int:
    """How many calls the series that match ``where`` have seen end; see ``Series.count``."""
    return sum(
        sum(document["counts"].values())
        for one in snapshot["series"]
        if all(one[key] == value for key, value in where.items())
        for name, document in one["outcomes"].items()
        if group is None or group == group_of(name)
    )
