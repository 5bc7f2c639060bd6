"""What a process counts: calls by outcome and duration, calls under way, and named events.

Recording is what every request pays for, so it is one method on an object that its filter has
looked up before. Everything else works on *snapshots*, plain JSON values that travel from the
instances to whoever adds them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from . import exposition
from .histogram import Histogram
from .outcome import OUTCOMES, group_of

Kind = Literal["server", "client", "attempt", "consumer"]
Snapshot: TypeAlias = dict[str, Any]
"""``{"series": [{"kind", "app", "route", "peer", "in_flight", "outcomes": {"2xx": histogram}}],
"counters": [{"name", "help", "labels": {}, "value"}]}``; see ``Histogram.document``."""

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

    def record(self, seconds: float, outcome: int) -> None:
        """Count one call: its duration, and its number in ``OUTCOMES``."""
        self.histograms[outcome].record(seconds)

    def count(self, group: str | None = None) -> int:
        """How many calls have ended so far; of one ``group_of`` outcomes, or in all."""
        return sum(
            histogram.count
            for name, histogram in zip(OUTCOMES, self.histograms, strict=True)
            if group is None or group == group_of(name)
        )

    def document(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "app": self.app,
            "route": self.route,
            "peer": self.peer,
            "in_flight": self.in_flight,
            "outcomes": {
                name: histogram.document()
                for name, histogram in zip(OUTCOMES, self.histograms, strict=True)
                if histogram.counts
            },
        }


class Counter:
    """How often something has happened."""

    __slots__ = ("help", "labels", "name", "value")

    def __init__(self, name: str, help: str, labels: Mapping[str, str]) -> None:
        self.name, self.help, self.labels = name, help, dict(labels)
        self.value = 0

    def add(self, n: int = 1) -> None:
        self.value += n


class Metrics:
    """Everything one process counts. One per process, or per app where several share one.

    Args:
        limit: how many series, and how many counters, are kept apart. What comes after them is
            counted together under ``OVERFLOW``: a mistake in naming must not fill the memory.
    """

    def __init__(self, limit: int = 2_000) -> None:
        self._limit = limit
        self._series: dict[tuple[Kind, str, str, str], Series] = {}
        self._counters: dict[tuple[str, tuple[tuple[str, str], ...]], Counter] = {}

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
        key = (name, tuple(sorted(labels.items())))
        found = self._counters.get(key)
        if found is None:
            if len(self._counters) >= self._limit:
                labels = dict.fromkeys(labels, OVERFLOW)
                key = (name, tuple(sorted(labels.items())))
                found = self._counters.get(key)
            if found is None:
                found = self._counters[key] = Counter(name, help, labels)
        return found

    def __iter__(self) -> Iterator[Series]:
        return iter(list(self._series.values()))

    def snapshot(self) -> Snapshot:
        """Everything counted so far, as JSON."""
        return {
            "series": [series.document() for series in self],
            "counters": [
                {"name": c.name, "help": c.help, "labels": dict(c.labels), "value": c.value}
                for c in list(self._counters.values())
            ],
        }

    def prometheus(self) -> str:
        """In the text format that Prometheus scrapes."""
        return exposition.text(self.snapshot())

    def openmetrics(self) -> str:
        """In the text format of OpenMetrics 1.0."""
        return exposition.text(self.snapshot(), openmetrics=True)


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    """One snapshot as if one process had counted it all; exact, in whatever order."""
    series: dict[tuple[str, ...], dict[str, Any]] = {}
    counters: dict[tuple[Any, ...], dict[str, Any]] = {}
    for snapshot in snapshots:
        for one in snapshot["series"]:
            key = (one["kind"], one["app"], one["route"], one["peer"])
            into = series.setdefault(key, {**one, "in_flight": 0, "outcomes": {}})
            into["in_flight"] += one["in_flight"]
            for name, document in one["outcomes"].items():
                histogram = into["outcomes"].setdefault(name, Histogram())
                histogram.add(Histogram.of(document))
        for counter in snapshot["counters"]:
            label_key = (counter["name"], *sorted(counter["labels"].items()))
            counters.setdefault(label_key, {**counter, "value": 0})["value"] += counter["value"]
    for one in series.values():
        one["outcomes"] = {name: h.document() for name, h in one["outcomes"].items()}
    return {"series": list(series.values()), "counters": list(counters.values())}


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
