"""Finding traces in the file: the newest that match, as few as possible of them read.

Zipkin's order is that of the latest begin of a span within the time asked for. What a trace's
is can be told from the segment's directory, unless the trace goes on after that time; then it
is read. So candidates are taken from a heap by the latest that they can be, and put back when
they turn out to be earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import TypeAlias

from .memory import Entry
from .model import Trace, assemble
from .query import Query, matches
from .reader import Reader
from .segment import Segment, Slices
from .terms import Range, wanted

_FEW = 4  # candidates for which reading them is cheaper than another look at the index

Fetch: TypeAlias = Callable[[int], Trace]
"""The spans of the trace with this lower half of an id; none if it is gone."""

_Item: TypeAlias = tuple[int, int, int]
"""What is most recent comes first: minus milliseconds, minus the id, and whether it is exact.
A segment that has not been looked into has the id -2**64: before all that may be in it."""


def search(
    reader: Reader,
    asked: Query,
    entries: Iterable[Entry],
    segments: Sequence[Segment],
    elsewhere: Container[int],
    fetch: Fetch,
    strict: bool,
) -> Iterator[list[Trace]]:
    """The traces that match, newest first, read as they are taken; together those that share
    64 bits of a longer id, which Zipkin counts as one.

    Args:
        entries: those in memory that may.
        elsewhere: ids of traces that are not to be looked for in the segments.
        strict: whether traces that share 64 bits of a longer id are different ones.
    """
    begin, end = asked.begin_ts * 1000, asked.end_ts * 1000 + 999
    unopened: dict[int, list[Segment]] = {}
    heap: list[_Item] = [(-min(e.last // 1000, asked.end_ts), -e.low, 0) for e in entries]
    for segment in segments:
        if segment.head.last >= begin and segment.head.first <= end:
            latest = -min(segment.head.last // 1000, asked.end_ts)
            if latest not in unopened:
                heap.append((latest, _UNOPENED, 0))
            unopened.setdefault(latest, []).append(segment)
    heapify(heap)
    read: dict[int, Trace] = {}
    while heap:
        latest, minus, exact = heappop(heap)
        if minus == _UNOPENED:
            for segment in unopened.pop(latest):
                for item in candidates(reader, asked, segment, elsewhere):
                    heappush(heap, item)
            continue
        if not exact:
            trace = assemble(fetch(-minus))
            moment = _moment(trace, asked)
            if moment is None or not matches(trace, asked):
                continue
            read[-minus] = trace
            if -moment > latest:
                heappush(heap, (-moment, minus, 1))
                continue
        yield list(_apart(read.pop(-minus), asked, strict))


_UNOPENED = -(1 << 64)


def _moment(trace: Trace, asked: Query) -> int | None:
    """The millisecond of the latest begin of a span within the time that is asked for."""
    begun = [span.timestamp // 1000 for span in trace]
    return max((ms for ms in begun if asked.begin_ts <= ms <= asked.end_ts), default=None)


def _apart(trace: Trace, asked: Query, strict: bool) -> Iterator[Trace]:
    if not strict:
        yield trace
        return
    groups: dict[str, Trace] = {}
    for span in trace:
        groups.setdefault(span.trace_id, []).append(span)
    if len(groups) == 1:
        yield trace
        return
    for group in groups.values():
        if matches(group, asked):
            yield group


def candidates(
    reader: Reader, asked: Query, segment: Segment, elsewhere: Container[int]
) -> Iterator[_Item]:
    """Traces of a segment that may match, with the latest that they can be."""
    places = reader.directory(segment)
    if places is None:
        return
    numbers = _numbers(reader, asked, segment)
    first, last = places.column("first"), places.column("last")
    begin, end = asked.begin_ts * 1000, asked.end_ts * 1000 + 999
    lows, dead, newest = segment.lows, segment.dead, asked.end_ts
    for number in range(len(lows)) if numbers is None else numbers:
        at = last[number]
        if at < begin or first[number] > end or not at or number in dead:
            continue
        low = lows[number]
        if low not in elsewhere:
            at //= 1000
            yield -(at if at < newest else newest), -low, 0


def _numbers(reader: Reader, asked: Query, segment: Segment) -> set[int] | None:
    """The traces of a segment that have all that is asked for; None where that is nothing."""
    service = None
    if asked.service is not None:
        service = segment.service(asked.service)
        if service is None:
            return set()
    known: dict[int, Slices | None] = {}
    tests: list[tuple[int, list[tuple[Slices, Range]]]] = []
    for alternatives in wanted(asked):
        found: list[tuple[Slices, Range]] = []
        for one in alternatives:
            key = segment.key(one.key)
            if key is None:
                continue
            if key not in known:
                known[key] = reader.slices(segment, key)
            slices = known[key]
            if slices is not None:
                found.append((slices, one))
        count = sum(slices.count(one.low, one.high, service) for slices, one in found)
        if not count:
            return set()
        tests.append((count, found))
    left: set[int] | None = None
    for _, found in sorted(tests, key=lambda test: test[0]):
        if left is not None and len(left) <= _FEW:
            break
        some: set[int] = set()
        for slices, one in found:
            some |= slices.traces(one.low, one.high, service)
        left = some if left is None else left & some
    return left
