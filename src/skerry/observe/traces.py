"""Where each trace is: in memory while spans come for it, then in one segment of the file.

When more come later it is taken up into memory again, with what the file has of it, and goes to
a new segment in the end. So a trace is in one place at a time, and what is searched, counted or
shown is always all of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from threading import RLock
from typing import NamedTuple

import msgspec

from .bloom import Bloom
from .file import File
from .memory import Entry, Memory, by_trace, tell
from .model import Span, Trace, unpack
from .names import Names
from .notable import notable
from .reader import Reader
from .segment import MOST_TRACES, Sealed, Segment, seal
from .settings import StoreSettings

_log = msgspec.msgpack.Decoder(tuple[list[tuple[int, msgspec.Raw]], dict[int, int]]).decode
_encode = msgspec.msgpack.Encoder().encode


class Place(NamedTuple):
    """A segment, and a trace's number in it."""

    segment: Segment
    number: int


class Traces:
    """All traces of a file.

    One thread changes them, any may read them; what both touch is held under ``lock``.

    Attributes:
        segments: those of the file, oldest first; replaced, never changed.
    """

    def __init__(self, file: File, settings: StoreSettings) -> None:
        self.lock = RLock()
        self.file = file
        self._settings = settings
        self.memory = Memory(settings.trace_spans, settings.tags)
        self._before = Names()
        self.segments = file.segments()
        for segment in self.segments:
            self.memory.words.know(segment.head.keys, segment.head.services)
        self._remember()

    def _remember(self) -> None:
        """Make the filter of the traces in the file anew, for as many again."""
        count = sum(len(segment.lows) for segment in self.segments)
        self._bloom = Bloom(max(2 * count, 100_000))
        for segment in self.segments:
            self._bloom.update(segment.lows)

    def replay(self) -> dict[int, int]:
        """Put back into memory what was there when the file was closed.

        Returns:
            how many parts of a trace the totals have, by the lower half of its id.
        """
        counted: dict[int, int] = {}
        reader = Reader(self.file.write)
        for (data,) in self.file.write.execute("SELECT data FROM log ORDER BY id").fetchall():
            parts, marks = _log(data)
            for low, part in parts:
                self._entry(low, reader)
                self.memory.put_back(low, bytes(part))
            counted.update(marks)
        now = time.monotonic()
        for entry in self.memory.entries.values():
            entry.touched = now
        return counted

    # -- in ----------------------------------------------------------------------------------

    def add(self, spans: Iterable[Span]) -> tuple[list[Entry], int]:
        """Take spans; the traces they are of, and how many were too many for their trace."""
        now = time.monotonic()
        reader = Reader(self.file.write)
        touched: list[Entry] = []
        over = 0
        with self.lock:
            for low, group in by_trace(spans):
                entry = self._entry(low, reader)
                over += self.memory.add(entry, group, now)
                touched.append(entry)
        return touched, over

    def _entry(self, low: int, reader: Reader) -> Entry:
        """The trace in memory; taken up from its segment where it was in one."""
        entry = self.memory.entries.get(low)
        if entry is None:
            entry = self.memory.entries[low] = Entry(low)
            if low in self._bloom:
                self._take_up(entry, reader)
        return entry

    def _take_up(self, entry: Entry, reader: Reader) -> None:
        place = self.find(entry.low)
        if place is None:
            return
        for part in reader.parts(*place):
            self.memory.put_back(entry.low, part)
        place.segment.dead.add(place.number)
        entry.dropped = place.segment.head.dropped.get(entry.low, 0)
        entry.adopted = entry.summed = len(entry.parts)

    # -- to the file -------------------------------------------------------------------------

    def log(self, parts: Iterable[tuple[int, bytes]], counted: dict[int, int]) -> None:
        """Write what is only in memory, in the transaction under way."""
        raw = [(low, msgspec.Raw(part)) for low, part in parts]
        self.file.write.execute("INSERT INTO log (data) VALUES (?)", (_encode((raw, counted)),))

    def still(self) -> list[Entry]:
        """Traces for a new segment: those that lie still, and where that is not enough to
        keep the memory small, those that have lain still the longest."""
        settings, memory = self._settings, self.memory
        if memory.count < settings.spans:
            return []
        now = time.monotonic()
        chosen: list[Entry] = []
        count = 0
        for entry in sorted(memory.entries.values(), key=lambda entry: entry.touched):
            left = memory.count - count
            if now - entry.touched < settings.still and left <= 2 * settings.spans:
                break
            if count >= settings.spans or len(chosen) == MOST_TRACES:
                break
            chosen.append(entry)
            count += entry.count
        return chosen if count >= settings.spans // 4 else []

    def sealed(self, chosen: list[Entry]) -> Sealed:
        """A segment of some traces, not yet written."""
        return seal(chosen, self.memory.words, (self._before, self.memory.names), time.time())

    def write(self, sealed: Sealed, chosen: list[Entry]) -> Segment:
        """Write a segment, and the log anew without it, in the transaction under way."""
        gone = {entry.low for entry in chosen}
        left = [entry for entry in self.memory.entries.values() if entry.low not in gone]
        segment = self.file.add(sealed)
        self.file.write.execute("DELETE FROM log")
        self.log(
            ((entry.low, part) for entry in left for part in entry.parts),
            {entry.low: entry.summed for entry in left if entry.summed},
        )
        for old in self.segments:
            self.file.save_dead(old)
        return segment

    def written(self, segment: Segment, chosen: list[Entry]) -> None:
        """It has been committed: the traces are in the segment from now on."""
        with self.lock:
            self.memory.unlogged.clear()
            self.memory.remove(chosen)
            for entry in self.memory.entries.values():
                entry.adopted = 0  # the log has all of its parts
            self._before, self.memory.names = self.memory.names, Names(self._settings.tags)
            self.segments = [*self.segments, segment]
            self._bloom.update(segment.lows)
            if self._bloom.count > self._bloom.capacity:
                self._remember()

    def take_along(self, segment: Segment) -> int:
        """Take what is notable of a segment that is to be dropped into memory, and put it into
        the log, in the transaction under way; how many spans."""
        reader = Reader(self.file.write)
        taken: list[Entry] = []
        with self.lock:
            for number in notable(segment, reader):
                low = segment.lows[number]
                if low in self.memory.entries:
                    continue
                entry = self.memory.entries[low] = Entry(low)
                for part in reader.parts(segment, number):
                    self.memory.put_back(low, part)
                entry.dropped = segment.head.dropped.get(low, 0)
                entry.summed = len(entry.parts)  # the totals have it
                taken.append(entry)
        parts = [(entry.low, part) for entry in taken for part in entry.parts]
        self.log(parts, {entry.low: entry.summed for entry in taken})
        return sum(entry.count for entry in taken)

    def drop(self, segment: Segment) -> None:
        """Delete a segment, in the transaction under way."""
        with self.lock:
            self.segments = [one for one in self.segments if one is not segment]
        self.file.drop(segment)

    # -- out ---------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Bytes of spans and their index in segments."""
        return sum(segment.head.size for segment in self.segments)

    def find(self, low: int) -> Place | None:
        """Where in the file a trace is; None if it is not."""
        for segment in reversed(self.segments):
            number = segment.number(low)
            if number is not None:
                return Place(segment, number)
        return None

    def fetch(self, low: int, reader: Reader) -> Trace:
        """The spans of a trace as they came, wherever it is; none if it is unknown."""
        place = None
        with self.lock:
            entry = self.memory.entries.get(low)
            if entry is not None:
                parts, dropped = list(entry.parts), entry.dropped
            else:
                place = self.find(low)
        if entry is None:
            if place is None:
                return []
            parts = reader.parts(*place)
            dropped = place.segment.head.dropped.get(low, 0)
        spans = [span for part in parts for span in unpack(part)]
        if dropped and spans:
            tell(spans, dropped)
        return spans

    def names(self) -> Names:
        """All names there are to choose from."""
        found = Names(self._settings.tags)
        with self.lock:
            some = [self.memory.names.known(), self._before.known()]
            segments = self.segments
        for known in (*some, *(segment.head.known for segment in segments)):
            found.see_all(known)
        return found
