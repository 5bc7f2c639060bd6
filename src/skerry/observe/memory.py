"""Traces that spans still come for: kept in memory, and searched there, until they are still.

What is kept of a trace is its spans as they go to the file, and its terms; spans as objects
would take four times as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .limits import note
from .model import Span, Trace, pack, unpack
from .names import Names
from .summary import Sample
from .terms import VALUE, Range, Words


class Entry:
    """One trace.

    Attributes:
        parts: its spans, as they came.
        terms: what it can be found by; see ``terms``.
        first, last: when the first and the last of its spans begin, in microseconds; 0 unknown.
        touched: when something came for it last, in seconds of the store's clock.
        samples: what it has added to the totals so far; None if nothing.
        summed: how many of its parts are in that.
        adopted: how many of its parts, the first ones, are in the file's segments.
        dropped: spans that were too many.
    """

    __slots__ = (
        "adopted", "count", "dirty", "dropped", "first", "last", "low",
        "parts", "samples", "summed", "terms", "touched",
    )  # fmt: skip

    def __init__(self, low: int) -> None:
        self.low = low
        self.parts: list[bytes] = []
        self.terms: set[int] = set()
        self.adopted = self.count = self.dropped = self.summed = 0
        self.first = self.last = 0
        self.touched = self.dirty = 0.0
        self.samples: Sequence[Sample] | None = None

    def spans(self) -> Trace:
        """All of them, in the order of their arrival."""
        found = [span for part in self.parts for span in unpack(part)]
        if self.dropped and found:
            tell(found, self.dropped)
        return found

    def has(self, low: int, high: int, service: int | None, key: int) -> bool:
        """Whether it has a term of ``key`` between two values, of one service or of any."""
        if service is not None:
            at = key << 48 | service << 32
            if low == high:
                return at | low in self.terms
            return any(at | low <= term <= at | high for term in self.terms)
        return any(term >> 48 == key and low <= term & VALUE <= high for term in self.terms)


def tell(spans: Trace, dropped: int) -> None:
    """Say on the first of ``spans`` that more of them came than are kept."""
    text = f"{dropped} more spans of this trace came and were dropped: it is too large"
    note(spans[0], text)


class Memory:
    """All such traces, by the lower half of their ids.

    Args:
        most: spans that are kept of one trace.
        keys: tags whose values are to choose from.
    """

    def __init__(self, most: int, keys: Iterable[str] = ()) -> None:
        self.entries: dict[int, Entry] = {}
        self.words = Words()
        self.names = Names(keys)
        self.count = 0
        self.unlogged: list[tuple[int, bytes]] = []
        self._most = most

    def add(self, entry: Entry, spans: Trace, now: float) -> int:
        """Put spans to their trace; how many of them were too many for it."""
        room = max(self._most - entry.count, 0)
        over = max(len(spans) - room, 0)
        if over:
            entry.dropped += over
            spans = spans[:room]
        if spans:
            part = pack(spans)
            self._take(entry, spans, part)
            self.unlogged.append((entry.low, part))
        entry.touched = now
        return over

    def put_back(self, low: int, part: bytes) -> None:
        """Put spans to a trace that the file knows already."""
        self._take(self.entries[low], unpack(part), part)

    def _take(self, entry: Entry, spans: Trace, part: bytes) -> None:
        terms, words, names = entry.terms, self.words, self.names
        first, last = entry.first, entry.last
        for span in spans:
            words.terms(span, terms)
            names.see(span)
            at = span.timestamp
            if at:
                if at > last:
                    last = at
                if at < first or not first:
                    first = at
        entry.first, entry.last = first, last
        entry.parts.append(part)
        entry.count += len(spans)
        self.count += len(spans)

    def remove(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            del self.entries[entry.low]
            self.count -= entry.count

    def find(
        self, wanted: Sequence[Sequence[Range]], service: str | None, begin: int, end: int
    ) -> Iterator[Entry]:
        """Entries that may be what is asked for, between two times in microseconds."""
        number = None
        if service is not None:
            number = self.words.service(service)
            if number is None:
                return
        ranges = [
            [(low, high, self.words.key(key)) for key, low, high in alternatives]
            for alternatives in wanted
        ]
        for entry in self.entries.values():
            if entry.last < begin or entry.first > end or not entry.last:
                continue
            if all(
                any(
                    key is not None and entry.has(low, high, number, key)
                    for low, high, key in alternatives
                )
                for alternatives in ranges
            ):
                yield entry


def by_trace(spans: Iterable[Span]) -> Iterator[tuple[int, Trace]]:
    """Spans that came together, trace by trace, each in the order in which it came."""
    groups: dict[str, Trace] = {}
    for span in spans:
        groups.setdefault(span.trace_id[-16:], []).append(span)
    for low, group in groups.items():
        yield int(low, 16), group
