"""Keeping the totals true to the traces: each is counted when it has settled, and once.

When more spans of a trace come, what it added is taken off and what all of it adds is put in.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from . import ids
from .memory import Entry
from .model import assemble, unpack
from .reader import Reader
from .summary import Sample, summarise
from .totals import Totals
from .traces import Traces

_PER_SECOND = 2_000
"""Spans of one trace that are waited for, or counted again, in a second."""

_SOUGHT = 10_000  # traces that are linked to and have not come


class Counting:
    """Which traces the totals do not have yet, or not all of.

    Args:
        settle: seconds after which a trace is counted.

    Attributes:
        marks: how many logged parts of a trace were counted, where the file does not say so yet.
    """

    def __init__(self, traces: Traces, settle: float) -> None:
        self._traces = traces
        self._settle = settle
        self.totals = Totals()
        self.marks: dict[int, int] = {}
        self._due: dict[int, None] = {}
        self._sought: dict[int, set[int]] = {}  # traces that some link to which are counted
        self._unknown: set[int] = set()

    @property
    def waiting(self) -> int:
        """Traces to be counted."""
        return len(self._due)

    def resume(self, counted: dict[int, int]) -> None:
        """Know again what of the traces in memory had been counted; see ``Traces.replay``."""
        for entry in self._traces.memory.entries.values():
            entry.summed = entry.adopted + counted.get(entry.low, 0)
            if entry.summed < len(entry.parts):
                self.later(entry)

    def later(self, entry: Entry) -> None:
        """More spans of a trace have come, and so for those that link to it."""
        entries = self._traces.memory.entries
        for low in (entry.low, *self._sought.pop(entry.low, ())):  # who published may be known now
            if low in entries:
                entries[low].dirty = entries[low].dirty or time.monotonic()
                self._due[low] = None

    def forget(self, entries: Iterable[Entry]) -> None:
        """Traces that are given up; what they added so far stays."""
        for entry in entries:
            self._due.pop(entry.low, None)
            self.marks.pop(entry.low, None)

    def count(self, everything: bool = False) -> None:
        """Count traces that have settled, or all."""
        now = time.monotonic()
        for low in list(self._due):
            entry = self._traces.memory.entries[low]
            if everything or self._has_settled(entry, now):
                self.count_one(entry)

    def _has_settled(self, entry: Entry, now: float) -> bool:
        """Whether it is worth counting: a large trace is not counted for every few spans."""
        if now - entry.touched >= self._settle + entry.count / _PER_SECOND:
            return True
        return now - entry.dirty >= 5 * self._settle and entry.summed * 2 <= len(entry.parts)

    def count_one(self, entry: Entry) -> None:
        """Count one trace now."""
        if entry.low not in self._due:
            return
        del self._due[entry.low]
        entry.dirty = 0.0
        before = entry.samples
        if before is None:
            before = self._samples(entry.parts[: entry.summed])
        self._unknown.clear()
        samples = self._samples(entry.parts)
        self._seek(entry)
        with self._traces.lock:
            if samples != before:
                write = self._traces.file.write
                self.totals.add(write, before, -1)
                self.totals.add(write, samples)
            entry.samples = samples
            entry.summed = len(entry.parts)
        self.marks[entry.low] = entry.summed - entry.adopted

    def _seek(self, entry: Entry) -> None:
        """Count a trace again when what it links to comes: a request may end after who handles
        its event."""
        for low in self._unknown:
            self._sought.setdefault(low, set()).add(entry.low)
        while len(self._sought) > _SOUGHT:
            del self._sought[next(iter(self._sought))]

    def _samples(self, parts: Iterable[bytes]) -> Sequence[Sample]:
        spans = [span for part in parts for span in unpack(part)]
        if len({span.id for span in spans}) < len(spans):
            spans = assemble(spans)  # the order in which pieces are put together
        return summarise(spans, self._origin)

    def _origin(self, trace_id: str, span_id: str) -> str | None:
        try:
            low = int(ids.trace_id(trace_id)[-16:], 16)
        except ids.Malformed:
            return None
        for span in self._traces.fetch(low, Reader(self._traces.file.write)):
            if span.id == span_id:
                return span.service
        self._unknown.add(low)
        return None
