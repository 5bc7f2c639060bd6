"""Totals over time: what a chart or a sparkline shows of an operation.

Points are whole minutes or several of them, so many at most, and stand where they stand: a point
begins at a multiple of its length, and does not move while the window does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct

from .summary import MINUTE, OPERATION
from .totals import Exemplar, Key, Total, exemplar

MOST = 241
"""Points of a series, at most: a day in pieces of six minutes, and what has begun of the next."""

Counted = tuple[int, Key, Total]
"""A total, whose it is, and its minute since 1970."""

_SECONDS = MINUTE // 1_000_000
_LENGTHS = (1, 2, 3, 5, 6, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1440)  # minutes


class Steps(Struct, frozen=True):
    """A window cut into points.

    Attributes:
        first, last: minutes since 1970; ``last`` is the one that ``until`` is in.
        length: minutes of a point.
        until: seconds since 1970.
    """

    first: int
    last: int
    length: int
    until: float

    @property
    def since(self) -> float:
        """When the first point begins, in seconds since 1970."""
        return float(self.first * _SECONDS)

    @property
    def count(self) -> int:
        return (self.last - self.first) // self.length + 1

    @property
    def seconds(self) -> int:
        """Of a point."""
        return self.length * _SECONDS

    def index(self, minute: int) -> int:
        """The point that a minute belongs to."""
        return (minute - self.first) // self.length

    def covered(self, index: int) -> float:
        """Seconds of a point that are over."""
        return min(self.seconds, max(1.0, self.until - self.since - index * self.seconds))


def steps(since: float, until: float, most: int = MOST) -> Steps:
    """A window, which begins with a point, in ``most`` points or fewer."""
    first, last = int(since) // _SECONDS, int(until) // _SECONDS
    length = next((one for one in _LENGTHS if last // one - first // one < most), 0)
    if not length:
        days = _LENGTHS[-1]
        length = days * -(-(last - first + days) // (days * (most - 1)))
    return Steps(first // length * length, last, length, until)


class Point(Struct, frozen=True, kw_only=True):
    """What was counted in one step of time. Durations are in seconds; None where nobody said.

    Attributes:
        at: when it begins, in seconds since 1970.
        rate: calls in a second, over what is over of it.
        slowest, failed: traces of the slowest call, and of the slowest that failed.
    """

    at: float
    count: int
    errors: int
    rate: float
    p50: float | None
    p95: float | None
    p99: float | None
    slowest: Exemplar | None
    failed: Exemplar | None


class Series(Struct, frozen=True, kw_only=True):
    """What an operation did over time, or several of a service's together.

    Attributes:
        service, name, kind: of what; an empty name is all, an empty kind is either.
        since, until: seconds since 1970; the first point begins at ``since``.
        step: seconds of a point.
        partial: whether the last point goes on: it has not all of its calls yet.
    """

    service: str
    name: str
    kind: str
    since: float
    until: float
    step: int
    partial: bool
    points: list[Point]


def series(counted: Iterable[Counted], of: Steps) -> list[Point]:
    """Totals of minutes as points, each of ``of``'s, whether or not there was anything."""
    totals: dict[int, Total] = {}
    for minute, _, total in counted:
        index = of.index(minute)
        known = totals.get(index)
        if known is None:
            totals[index] = total
        else:
            known.merge(total)
    return [_point(totals.get(index, _NOTHING), of, index) for index in range(of.count)]


_NOTHING = Total()


def _point(total: Total, of: Steps, index: int) -> Point:
    durations = total.durations
    slowest = total.slowest
    failed = next((one for one in slowest if one.error), None)
    return Point(
        at=of.since + index * of.seconds,
        count=total.count,
        errors=total.errors,
        rate=total.count / of.covered(index),
        p50=durations.quantile(0.5),
        p95=durations.quantile(0.95),
        p99=durations.quantile(0.99),
        slowest=exemplar(slowest[0]) if slowest else None,
        failed=exemplar(failed) if failed else None,
    )


class Wanted(Struct, frozen=True):
    """Which operations are meant; what is empty is any. Names are in lower case."""

    service: str
    name: str
    kind: str

    def __call__(self, key: Key) -> bool:
        return (
            key[0] == OPERATION
            and (not self.service or key[1] == self.service)
            and (not self.name or key[2].lower() == self.name)
            and (not self.kind or key[3] == self.kind)
        )


class Trend(NamedTuple):
    """An operation in short: all of it together, and how many there were in each step.

    Attributes:
        counts, failed: calls, and those that failed.
    """

    total: Total
    counts: list[int]
    failed: list[int]


def trends(counted: Iterable[Counted], of: Steps) -> dict[Key, Trend]:
    """Totals of minutes, or of whole steps, as the trend of each operation."""
    found: dict[Key, Trend] = {}
    for minute, key, total in counted:
        index = of.index(minute)
        known = found.get(key)
        if known is None:
            known = found[key] = Trend(total, [0] * of.count, [0] * of.count)
            known.counts[index], known.failed[index] = total.count, total.errors
        else:
            known.counts[index] += total.count
            known.failed[index] += total.errors
            known.total.merge(total)
    return found
