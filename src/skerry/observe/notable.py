"""Which traces outlive the others when room is needed: those that failed, and the slowest.

A store that is full lets go of what is oldest, a segment at a time. What somebody will look for
later is rarely an ordinary request of last week. So up to a tenth of a segment is taken along: the
latest that failed, and of each service the slowest.
"""

from __future__ import annotations

from collections.abc import Iterable

from .reader import Reader
from .segment import Directory, Segment
from .terms import DURATION, VALUE

_SHARE = 0.1  # of a segment's spans
_FAILED = 0.7  # of those, at most; the rest is for the slowest
_SLOWEST = 20  # traces of each service

_ERROR = "error"


def notable(segment: Segment, reader: Reader) -> list[int]:
    """The numbers of a segment's traces that are to be kept longer, in the order of the file."""
    places = reader.directory(segment)
    if places is None:
        return []
    room = int(segment.head.spans * _SHARE)
    chosen = _fitting(_failed(segment, reader, places), places, int(room * _FAILED), set())
    chosen |= _fitting(_slowest(segment, reader), places, room, chosen)
    chunks = places.column("chunk")
    return sorted(chosen - segment.dead, key=lambda number: chunks[number])


def _failed(segment: Segment, reader: Reader, places: Directory) -> list[int]:
    """Those with an error, the latest first."""
    key = segment.key(_ERROR)
    slices = None if key is None else reader.slices(segment, key)
    if slices is None:
        return []
    last = places.column("last")
    found = slices.traces(0, VALUE, None)
    return sorted(found, key=lambda number: last[number], reverse=True)


def _slowest(segment: Segment, reader: Reader) -> list[int]:
    """The slowest of each service, the slowest of all first."""
    slices = reader.slices(segment, DURATION)
    return [] if slices is None else slices.highest(_SLOWEST)


def _fitting(numbers: Iterable[int], places: Directory, room: int, taken: set[int]) -> set[int]:
    """As many of them as there is room for, beside those that are taken."""
    counts = places.column("count")
    left = room - sum(counts[number] for number in taken)
    found: set[int] = set()
    for number in numbers:
        if number not in taken and number not in found and counts[number] <= left:
            left -= counts[number]
            found.add(number)
    return found
