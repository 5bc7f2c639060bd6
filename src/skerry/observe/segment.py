"""Some thousand traces that lie still: their spans in compressed chunks, and their index.

A segment is written once, read in parts, and dropped whole. Within it a trace is a number of 16
bits, its place in the order of the ids, so that a posting is one 64-bit integer::

    service (16) | value (32) | trace (16)

and the postings of one key are one sorted array: what a query asks for is a slice of it.
"""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from .memory import Entry
from .names import Known, Names
from .terms import FULL, Words

MOST_TRACES = 1 << 16
_CHUNK = 48_000  # bytes before compression: what reading one trace costs to unpack

_FULL = "\0full"  # the name of the keys that had no number left

_Parts = dict[int, list[msgspec.Raw]]
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Parts).decode


class Head(Struct):
    """What is known of a segment without reading it.

    Attributes:
        spans, traces: how many.
        first, last: the earliest and the latest begin of a span, in microseconds.
        sealed: when it was written, in seconds since 1970.
        size: bytes in the file, without what the file itself needs.
        keys, services: their numbers here.
        services_seen: the numbers of services that its traces have spans of.
        dropped: how many more spans of a trace came than were kept.
    """

    spans: int
    traces: int
    first: int
    last: int
    sealed: float
    size: int
    keys: dict[str, int]
    services: dict[str, int]
    services_seen: list[int]
    known: Known
    dropped: dict[int, int]


class Directory(Struct):
    """By trace: the begin of its first and last span, its chunk, and how many spans it has."""

    first: bytes
    last: bytes
    chunk: bytes
    count: bytes

    def column(self, name: str) -> memoryview:
        """One of them, to be read by the trace's number."""
        return memoryview(getattr(self, name)).cast("Q" if name in ("first", "last") else "I")


class Sealed(Struct):
    """A new segment: what is to be written of it."""

    head: Head
    lows: array[int]
    directory: Directory
    chunks: list[bytes]
    postings: dict[int, bytes]


def seal(entries: Sequence[Entry], words: Words, names: Iterable[Names], now: float) -> Sealed:
    """A segment of some traces; at most ``MOST_TRACES`` of them."""
    ordered = sorted(entries, key=lambda entry: entry.low)
    numbers = {entry.low: number for number, entry in enumerate(ordered)}
    places = array("I", bytes(4 * len(ordered)))
    chunks: list[bytes] = []
    for chunk in _chunks(sorted(ordered, key=lambda entry: entry.last)):
        for low in chunk:
            places[numbers[low]] = len(chunks)
        chunks.append(zlib.compress(_pack(chunk), 1))
    postings = _postings(ordered)
    seen = sorted({term >> 32 & 0xFFFF for entry in ordered for term in entry.terms})
    numbered = set(seen)
    known = Names()
    for some in names:
        known.see_all(some.known())
    size = sum(map(len, chunks)) + sum(map(len, postings.values())) + 32 * len(ordered)
    head = Head(
        spans=sum(entry.count for entry in ordered),
        traces=len(ordered),
        first=min((entry.first for entry in ordered if entry.first), default=0),
        last=max((entry.last for entry in ordered), default=0),
        sealed=now,
        size=size,
        keys={name: n for name, n in (*words.keys.items(), (_FULL, FULL)) if n in postings},
        services={
            name: n for name, n in words.services.items() if name is not None and n in numbered
        },
        services_seen=seen,
        known=known.known(),
        dropped={entry.low: entry.dropped for entry in ordered if entry.dropped},
    )
    directory = Directory(
        array("Q", (entry.first for entry in ordered)).tobytes(),
        array("Q", (entry.last for entry in ordered)).tobytes(),
        places.tobytes(),
        array("I", (entry.count for entry in ordered)).tobytes(),
    )
    lows = array("Q", (entry.low for entry in ordered))
    return Sealed(head, lows, directory, chunks, postings)


def _chunks(entries: Iterable[Entry]) -> Iterator[_Parts]:
    chunk: _Parts = {}
    size = 0
    for entry in entries:
        chunk[entry.low] = [msgspec.Raw(part) for part in entry.parts]
        size += sum(map(len, entry.parts))
        if size >= _CHUNK:
            yield chunk
            chunk, size = {}, 0
    if chunk:
        yield chunk


def _postings(entries: Sequence[Entry]) -> dict[int, bytes]:
    """The postings by key, each as a sorted array."""
    found: dict[int, list[int]] = {}
    for number, entry in enumerate(entries):
        for term in entry.terms:
            posting = (term & 0xFFFF_FFFF_FFFF) << 16 | number
            try:
                found[term >> 48].append(posting)
            except KeyError:
                found[term >> 48] = [posting]
    for postings in found.values():
        postings.sort()
    return {key: array("Q", postings).tobytes() for key, postings in found.items()}


def unpacked(chunk: bytes) -> _Parts:
    """The traces of a chunk, by the lower half of their ids, each in the parts that came."""
    return _unpack(zlib.decompress(chunk))


def parts_in(chunk: _Parts, low: int) -> list[bytes]:
    """The spans of one trace out of its chunk."""
    return [bytes(part) for part in chunk.get(low, ())]


class Slices:
    """The postings of one key in a segment, and which traces are in a range of them."""

    def __init__(self, data: bytes, services: Sequence[int]) -> None:
        self._all = memoryview(data).cast("Q")
        self._traces = memoryview(data).cast("H")[_LOWEST::4]
        self._services = services

    def count(self, low: int, high: int, service: int | None) -> int:
        """How many postings are in the range: at least as many as traces."""
        return sum(end - start for start, end in self._bounds(low, high, service))

    def traces(self, low: int, high: int, service: int | None) -> set[int]:
        """The traces with a value between two of one service, or of any."""
        found: set[int] = set()
        for start, end in self._bounds(low, high, service):
            found.update(self._traces[start:end].tolist())
        return found

    def highest(self, count: int) -> list[int]:
        """The traces with so many of the highest values of each service, the highest first."""
        found: list[tuple[int, int]] = []
        for number in self._services:
            start = bisect_left(self._all, number << 48)
            end = bisect_right(self._all, number << 48 | 0xFFFF_FFFF_FFFF, start)
            last = self._all[max(start, end - count) : end]
            found += [(posting >> 16 & 0xFFFF_FFFF, posting & 0xFFFF) for posting in last]
        found.sort(reverse=True)
        return list(dict.fromkeys(trace for _, trace in found))

    def _bounds(self, low: int, high: int, service: int | None) -> Iterator[tuple[int, int]]:
        if service is None and (low, high) == (0, 0xFFFFFFFF):
            yield 0, len(self._all)
            return
        for number in self._services if service is None else (service,):
            start = bisect_left(self._all, number << 48 | low << 16)
            if start == len(self._all) or self._all[start] >> 48 != number:
                continue
            end = bisect_right(self._all, number << 48 | high << 16 | 0xFFFF, start)
            if end > start:
                yield start, end


_LOWEST = 0 if array("H", [1]).tobytes()[0] else 3  # where the low bits are on this machine


class Segment:
    """A segment in the file.

    Attributes:
        id: of its rows.
        lows: the lower halves of its traces' ids, in order.
        dead: traces that were taken out again because more spans of them came.
    """

    def __init__(self, id: int, head: Head, lows: array[int], dead: Iterable[int]) -> None:
        self.id = id
        self.head = head
        self.lows = lows
        self.dead = set(dead)

    def number(self, low: int) -> int | None:
        """The number of a trace here; None if it is not here."""
        at = bisect_left(self.lows, low)
        if at == len(self.lows) or self.lows[at] != low or at in self.dead:
            return None
        return at

    def key(self, name: str) -> int | None:
        """The number of a key here; None if no trace has it."""
        return self.head.keys.get(name, self.head.keys.get(_FULL))

    def service(self, name: str) -> int | None:
        found = self.head.services.get(name)
        if found is None and FULL in self.head.services_seen:
            return FULL
        return found
