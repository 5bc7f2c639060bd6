"""The span store: spans in, traces and totals out, within a size and an age.

Everything that writes is called by one thread (see ``keeper``); anything may read meanwhile.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from .counting import Counting
from .file import File, is_broken
from .model import Span, Trace, assemble
from .names import Names
from .query import Query
from .reader import Reader
from .search import search
from .series import Series, Steps, Trend, Wanted, series, steps, trends
from .settings import StoreSettings
from .snapshot import Pieces, Snapshot
from .summary import EDGE, LINK, MINUTE, OPERATION
from .terms import wanted
from .totals import (
    DependencyLink,
    Edge,
    Key,
    Minute,
    Operation,
    edges,
    links,
    operations,
    together,
)
from .traces import Traces

log = logging.getLogger("skerry.observe")

T = TypeVar("T")


class Counts(Struct):
    """What the store has done since it was opened, in spans."""

    stored: int = 0
    dropped: int = 0
    expired: int = 0


class Store:
    """The store of one file.

    Args:
        path: of the file; ``path-lock`` beside it is held while the store is open.
        patience: seconds to wait for another process to let go of it.

    Raises:
        ConfigError: another process has it, or it cannot be made.
    """

    def __init__(
        self, path: Path, settings: StoreSettings | None = None, patience: float = 30.0
    ) -> None:
        self.settings = settings or StoreSettings()
        self.counts = Counts()
        self._file = File(path, patience)
        try:
            self._load()
        except (sqlite3.Error, msgspec.DecodeError, ValueError, KeyError, IndexError) as error:
            if isinstance(error, sqlite3.Error) and not is_broken(error):
                self._file.close()
                raise
            self.begin_again(error)

    def _load(self) -> None:
        traces = Traces(self._file, self.settings)
        counting = Counting(traces, self.settings.settle)
        counting.resume(traces.replay())
        self._traces, self._counting, self._pieces = traces, counting, Pieces()

    # -- in, by one thread -------------------------------------------------------------------

    def add(self, spans: Iterable[Span]) -> int:
        """Take spans; how many of them were not kept because their trace is too large."""
        spans = list(spans)
        touched, over = self._traces.add(spans)
        for entry in touched:
            self._counting.later(entry)
        self.counts.stored += len(spans) - over
        self.counts.dropped += over
        return over

    def count(self, everything: bool = False) -> None:
        """Bring the totals up to date with traces that have settled, or with all of them."""
        self._counting.count(everything)

    def flush(self) -> None:
        """Write what has come since it was last called: what a crash would take with it."""
        traces, counting = self._traces, self._counting
        if not traces.memory.unlogged and not counting.marks:
            return
        with self._transaction() as write:
            traces.log(traces.memory.unlogged, counting.marks)
            counting.totals.write(write)
        with traces.lock:
            traces.memory.unlogged.clear()
            self._counted()

    def _counted(self) -> None:
        self._counting.marks.clear()
        self._counting.totals.written()

    def seal(self, everything: bool = False) -> bool:
        """Put traces that lie still into a segment, if they are enough for one.

        Returns:
            whether there is a new one.
        """
        traces = self._traces
        chosen = list(traces.memory.entries.values()) if everything else traces.still()
        if not chosen:
            return False
        for entry in chosen:
            self._counting.count_one(entry)
        sealed = traces.sealed(chosen)
        with self._transaction() as write:
            segment = traces.write(sealed, chosen)
            self._counting.totals.write(write)
        with traces.lock:
            traces.written(segment, chosen)
            self._counted()
        return True

    def expire(self) -> None:
        """Drop the oldest segments while there is too much, and whatever is too old.

        Where there is too much, what is notable is kept (see ``notable``).
        """
        settings, traces = self.settings, self._traces
        oldest = time.time() - settings.age
        while traces.segments:
            segment = traces.segments[0]
            if traces.size <= settings.size and segment.head.sealed >= oldest:
                break
            kept = 0
            with self._transaction():
                if segment.head.sealed >= oldest + settings.age / 2:  # not for ever
                    kept = traces.take_along(segment)
                traces.drop(segment)
            self.counts.expired += segment.head.spans - kept
        with traces.lock, self._transaction() as write:
            self._counting.totals.forget(write, int(oldest * 1e6) // MINUTE)

    def shed(self) -> None:
        """Drop what has been in memory the longest, because it cannot be written."""
        memory = self._traces.memory
        with self._traces.lock:
            chosen = sorted(memory.entries.values(), key=lambda entry: entry.touched)
            chosen = chosen[: len(chosen) // 2]
            self._counting.forget(chosen)
            self.counts.dropped += sum(entry.count for entry in chosen)
            memory.remove(chosen)
            gone = {entry.low for entry in chosen}
            memory.unlogged[:] = [one for one in memory.unlogged if one[0] not in gone]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        write = self._file.write
        write.execute("BEGIN IMMEDIATE")
        try:
            yield write
            write.execute("COMMIT")
        except BaseException:
            if write.in_transaction:
                write.execute("ROLLBACK")
            raise

    def begin_again(self, error: BaseException) -> None:
        """Set the file aside, because ``error`` said that it is broken, and begin a new one."""
        self._file.begin_again(error)
        self._load()

    def close(self) -> None:
        """Write all that is not written, and let go of the file."""
        try:
            self.count(everything=True)
            self.flush()
        except sqlite3.Error:
            log.exception("the span store %s could not be written", self._file.path)
        finally:
            self._file.close()

    # -- out, by any thread ------------------------------------------------------------------

    @property
    def path(self) -> Path:
        return self._file.path

    @property
    def size(self) -> int:
        """Bytes of spans and their index in segments."""
        return self._traces.size

    @property
    def waiting(self) -> int:
        """Spans that are in memory."""
        return self._traces.memory.count

    @property
    def uncounted(self) -> int:
        """Traces that the totals do not have yet, or not all of."""
        return self._counting.waiting

    @property
    def spans(self) -> int:
        """How many are kept."""
        traces = self._traces
        return traces.memory.count + sum(one.head.spans for one in traces.segments)

    @contextmanager
    def _reading(self) -> Iterator[Reader]:
        with self._file.reading() as connection:
            yield Reader(connection)

    def traces(self, asked: Query) -> list[Trace]:
        """The traces that match, newest first, as Zipkin finds and orders them."""
        return self.each(asked, lambda trace: trace)

    def each(self, asked: Query, make: Callable[[Trace], T | None]) -> list[T]:
        """What ``make`` says of each of them, until there are ``asked.limit``; None is left out.

        A trace is read when it is made something of: large ones are not in memory together.
        """
        traces = self._traces
        begin, end = asked.begin_ts * 1000, asked.end_ts * 1000 + 999
        with traces.lock:
            entries = list(traces.memory.find(wanted(asked), asked.service, begin, end))
            segments = traces.segments
        with self._reading() as reader:
            groups = search(
                reader,
                asked,
                entries,
                segments,
                traces.memory.entries,
                lambda low: traces.fetch(low, reader),
                self.settings.strict,
            )
            found: list[T] = []
            for group in groups:
                found += [one for trace in group if (one := make(trace)) is not None]
                if len(found) >= asked.limit:
                    break
            return found

    def trace(self, trace_id: str) -> Trace:
        """The spans of one trace, by its id as ``ids.trace_id`` gives it; none if unknown."""
        found = self.many([trace_id])
        return found[0] if found else []

    def many(self, trace_ids: Sequence[str]) -> list[Trace]:
        """Several of them; those that are known."""
        strict = self.settings.strict
        found: list[Trace] = []
        with self._reading() as reader:
            for low in dict.fromkeys(int(trace_id[-16:], 16) for trace_id in trace_ids):
                groups: dict[str, Trace] = {}
                for span in assemble(self._traces.fetch(low, reader)):
                    groups.setdefault(span.trace_id if strict else "", []).append(span)
                found += [group for id, group in groups.items() if not strict or id in trace_ids]
        return found

    def names(self) -> Names:
        """All names there are to choose from."""
        return self._traces.names()

    def dependencies(self, end_ts: int, lookback: int) -> list[DependencyLink]:
        """Zipkin's links of traces that began in the minutes of ``lookback`` up to ``end_ts``,
        both in milliseconds."""
        return links(self._between((end_ts - lookback) * 1000, end_ts * 1000, LINK))

    def operations(self, since: float, until: float) -> list[Operation]:
        """What services did in the minutes between two times, in seconds since 1970."""
        return operations(self._between(since * 1e6, until * 1e6, OPERATION), until - since)

    def edges(self, since: float, until: float) -> list[Edge]:
        """Who called whom in the minutes between two times, in seconds since 1970."""
        return edges(self._between(since * 1e6, until * 1e6, EDGE), until - since)

    def series(
        self, since: float, until: float, service: str, name: str = "", kind: str = ""
    ) -> Series:
        """What an operation did over time, or those of a service together; see ``Series``."""
        of = steps(since, until)
        asked = Wanted(service.lower(), name.lower(), kind)
        with self._totals(of.first, of.last, OPERATION) as totals:
            points = series(totals.some(of.first, of.last, asked), of)
        return Series(
            service=service,
            name=name,
            kind=kind,
            since=of.since,
            until=until,
            step=of.seconds,
            partial=of.covered(of.count - 1) < of.seconds,
            points=points,
        )

    def trends(self, of: Steps, asked: Wanted) -> dict[Key, Trend]:
        """What operations did in a window: in all, and in each of its steps."""
        with self._totals(of.first, of.last, OPERATION) as totals:
            if asked.service:
                return trends(totals.some(of.first, of.last, asked), of)
            found = trends(self._pieces.each(totals, of.first, of.last, of.length), of)
            return {key: trend for key, trend in found.items() if asked(key)}

    def _between(self, first: float, last: float, kind: str) -> Minute:
        begin, end = int(first) // MINUTE, int(last) // MINUTE
        with self._totals(begin, end, kind) as totals:
            return together(totals.minutes(begin, end))

    @contextmanager
    def _totals(self, first: int, last: int, kind: str) -> Iterator[Snapshot]:
        with self._file.reading() as connection:
            connection.execute("BEGIN")
            try:
                with self._traces.lock:
                    connection.execute("SELECT id FROM total LIMIT 1").fetchone()  # from now on
                    held = self._counting.totals.held(first, last, kind)
                yield Snapshot(connection, held, kind)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
