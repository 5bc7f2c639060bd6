"""Counts by minute: of operations, of the edges between services, and of Zipkin's links.

One row of the file holds a minute's totals of one kind. The minutes that are being counted are
in memory; others are read when they are asked for, or when a late span is theirs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from skerry.telemetry.histogram import UNIT, Histogram, bucket_of

from .summary import EDGE, LINK, OPERATION, Sample

_OVERFLOW = "_overflow"
_SLOWEST = 3
_KEPT = 4  # minutes in memory; spans that come later are rare, and their minute is read again
_KINDS = (OPERATION, EDGE, LINK)


class Slow(Struct, array_like=True, order=True, gc=False):
    """One of the slowest calls, to be looked at."""

    units: int
    trace_id: str
    error: bool


class Total(Struct, array_like=True):
    """What is counted under one key in one minute.

    Attributes:
        counts, units: their durations, as a ``Histogram`` has them.
        slowest: the three slowest of them, and the slowest that failed where that is none of those.
    """

    count: int = 0
    errors: int = 0
    units: int = 0
    counts: dict[int, int] = {}
    slowest: list[Slow] = []

    def add(self, sample: Sample, sign: int) -> None:
        """Put a sample to it, or take it off again with a ``sign`` of -1."""
        self.count += sign
        self.errors += sign * sample.error
        if sample.units < 0:
            return
        self.units += sign * sample.units
        bucket = bucket_of(sample.units)
        count = self.counts.get(bucket, 0) + sign
        if count > 0:
            self.counts[bucket] = count
        else:
            self.counts.pop(bucket, None)
        slowest = self.slowest
        if sign < 0:
            self.slowest = [one for one in slowest if one.trace_id != sample.trace_id]
        elif self._stands_out(sample):
            slow = Slow(sample.units, sample.trace_id, sample.error)
            others = [one for one in slowest if one.trace_id != slow.trace_id or one > slow]
            self.slowest = _outstanding([slow, *others])

    def _stands_out(self, sample: Sample) -> bool:
        slowest = self.slowest
        if len(slowest) < _SLOWEST or sample.units > slowest[_SLOWEST - 1].units:
            return True
        return sample.error and all(one.units < sample.units for one in slowest if one.error)

    def merge(self, other: Total) -> None:
        self.count += other.count
        self.errors += other.errors
        self.units += other.units
        counts, known = self.counts, self.counts.get
        for bucket, count in other.counts.items():
            counts[bucket] = known(bucket, 0) + count
        self.slowest = _outstanding([*self.slowest, *other.slowest])

    def copy(self) -> Total:
        """One that goes on by itself."""
        return Total(self.count, self.errors, self.units, dict(self.counts), self.slowest)

    @property
    def durations(self) -> Histogram:
        found = Histogram()
        found.counts, found.total = self.counts, self.units
        return found


def _outstanding(some: list[Slow]) -> list[Slow]:
    some.sort(reverse=True)
    found = some[:_SLOWEST]
    if not any(one.error for one in found):
        found += [one for one in some[_SLOWEST:] if one.error][:1]
    return found


Key = tuple[str, ...]
Minute = dict[Key, Total]

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(list[tuple[Key, Total]]).decode


class Held(NamedTuple):
    """What is in memory at one moment.

    Attributes:
        minutes: copies of those that the file may not have, or not as they are now.
        latest: which of all changes was the last of a minute, where there was one since the start.
        changes: how many there were by then.
    """

    minutes: dict[int, Minute]
    latest: dict[int, int]
    changes: int


class Totals:
    """All that is counted.

    Args:
        most: keys of one minute; what comes after them is counted together.
    """

    def __init__(self, most: int = 5_000) -> None:
        self._most = most
        self._minutes: dict[int, Minute] = {}
        self._changed: set[int] = set()
        self._changes = 0
        self._latest: dict[int, int] = {}  # of each minute, which of all changes was its last

    def add(self, connection: sqlite3.Connection, samples: Iterable[Sample], sign: int = 1) -> None:
        """Put samples to their minutes, or take them off with a ``sign`` of -1."""
        self._changes += 1
        for sample in samples:
            minute = self._minutes.get(sample.minute)
            if minute is None:
                minute = self._minutes[sample.minute] = read(connection, sample.minute)
            self._changed.add(sample.minute)
            self._latest[sample.minute] = self._changes
            key = sample.key
            total = minute.get(key)
            if total is None:
                if sign < 0:
                    continue
                if len(minute) >= self._most:
                    key = (key[0], *(_OVERFLOW for _ in key[1:]))
                    total = minute.get(key)
                if total is None:
                    total = minute[key] = Total()
            total.add(sample, sign)
            if total.count <= 0:
                del minute[key]

    def write(self, connection: sqlite3.Connection) -> None:
        """Write what has changed, in the transaction under way."""
        for number in self._changed:
            rows: dict[str, list[tuple[Key, Total]]] = {kind: [] for kind in _KINDS}
            for key, total in self._minutes[number].items():
                rows[key[0]].append((key, total))
            connection.executemany(
                "REPLACE INTO total VALUES (?, ?)",
                ((row(number, kind), encode(some)) for kind, some in rows.items()),
            )

    def written(self) -> None:
        """It has been committed."""
        self._changed.clear()
        for number in sorted(self._minutes)[:-_KEPT]:
            del self._minutes[number]

    def forget(self, connection: sqlite3.Connection, minute: int) -> None:
        """Delete what is older than ``minute``, in the transaction under way."""
        for number in [number for number in self._minutes if number < minute]:
            del self._minutes[number]
            self._changed.discard(number)
        for number in [number for number in self._latest if number < minute]:
            del self._latest[number]
        connection.execute("DELETE FROM total WHERE id < ?", (row(minute, _KINDS[0]),))

    def held(self, first: int, last: int, kind: str) -> Held:
        """What is in memory of some minutes; ``last`` is included."""
        minutes = {
            number: {key: total.copy() for key, total in minute.items() if key[0] == kind}
            for number, minute in self._minutes.items()
            if first <= number <= last
        }
        latest = {number: one for number, one in self._latest.items() if first <= number <= last}
        return Held(minutes, latest, self._changes)


def read(connection: sqlite3.Connection, minute: int) -> Minute:
    """A minute out of the file; empty where it is not in there."""
    rows = connection.execute(
        "SELECT data FROM total WHERE id BETWEEN ? AND ?",
        (row(minute, _KINDS[0]), row(minute, _KINDS[-1])),
    )
    return {key: total for (data,) in rows for key, total in decode(data)}


def row(minute: int, kind: str) -> int:
    """The id of the row that holds a minute's totals of one kind."""
    return minute << 2 | _KINDS.index(kind)


def together(minutes: Iterable[Iterable[tuple[Key, Total]]]) -> Minute:
    """The totals of several minutes as if they were one. The totals given may be used for it."""
    found: Minute = {}
    for minute in minutes:
        for key, total in minute:
            known = found.get(key)
            if known is None:
                found[key] = total
            else:
                known.merge(total)
    return found


# -- as they are asked for -----------------------------------------------------------------------


class Exemplar(Struct, frozen=True):
    """A trace to look at. ``duration`` is in seconds."""

    trace_id: str
    duration: float
    error: bool


class Figures(Struct, frozen=True, kw_only=True):
    """How often, how well, how fast. Durations are in seconds; None where nobody said.

    Attributes:
        rate: calls in a second, over the time that was asked for.
        slowest: traces of the slowest calls, slowest first, and of the slowest that failed.
    """

    count: int
    errors: int
    rate: float
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    slowest: list[Exemplar]


class Rates(Figures, frozen=True, kw_only=True):
    """The same with all durations.

    Attributes:
        histogram: see ``skerry.telemetry.histogram.Histogram.document``.
    """

    histogram: dict[str, int | dict[str, int]]


class Operation(Rates, frozen=True, kw_only=True):
    """One kind of request or event that a service handles. ``kind``: SERVER or CONSUMER."""

    service: str
    name: str
    kind: str


class Edge(Rates, frozen=True, kw_only=True):
    """Calls, or events, from one service to another. ``topic`` is empty for calls."""

    caller: str
    callee: str
    messaging: bool
    topic: str


class DependencyLink(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Calls between two services, as Zipkin counts them."""

    parent: str
    child: str
    call_count: int
    error_count: int = 0


def operations(totals: Minute, seconds: float) -> list[Operation]:
    """Totals as operations, by service and name."""
    return [
        Operation(service=key[1], name=key[2], kind=key[3], **_rates(total, seconds))
        for key, total in sorted(totals.items())
        if key[0] == OPERATION
    ]


def edges(totals: Minute, seconds: float) -> list[Edge]:
    """Totals as edges, by caller and callee."""
    return [
        Edge(
            caller=key[1], callee=key[2], messaging=bool(key[3]), topic=key[3],
            **_rates(total, seconds),
        )
        for key, total in sorted(totals.items())
        if key[0] == EDGE
    ]  # fmt: skip


def links(totals: Minute) -> list[DependencyLink]:
    """Totals as Zipkin's links."""
    return [
        DependencyLink(key[1], key[2], total.count, total.errors)
        for key, total in totals.items()
        if key[0] == LINK
    ]


def _rates(total: Total, seconds: float) -> dict[str, Any]:
    return {**figures(total, seconds), "histogram": total.durations.document()}


def figures(total: Total, seconds: float) -> dict[str, Any]:
    """The attributes of ``Figures``, of what was counted in so many seconds."""
    durations = total.durations
    timed = durations.count
    return {
        "count": total.count,
        "errors": total.errors,
        "rate": total.count / seconds if seconds > 0 else 0.0,
        "mean": total.units / UNIT / timed if timed else None,
        "p50": durations.quantile(0.5),
        "p95": durations.quantile(0.95),
        "p99": durations.quantile(0.99),
        "slowest": [exemplar(one) for one in total.slowest],
    }


def exemplar(slow: Slow) -> Exemplar:
    return Exemplar(slow.trace_id, slow.units / UNIT, slow.error)
