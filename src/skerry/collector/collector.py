"""The collector while it runs: its store, who writes to that, and what is counted."""

from __future__ import annotations

import asyncio
import sqlite3
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from skerry.core.errors import Overloaded
from skerry.observe.file import is_broken
from skerry.observe.inflate import TooLarge, inflate
from skerry.observe.keeper import Full, Keeper
from skerry.observe.model import Span
from skerry.observe.store import Store
from skerry.observe.watch import Watch
from skerry.telemetry.metrics import Metrics

from .settings import CollectorSettings
from .watching import Watching

T = TypeVar("T")
Take = Callable[[Store, bytes, int], int]
"""Puts an unpacked body, which came at so many microseconds, into the store; how many spans."""

_FEW = 2_000  # traces that are counted while somebody waits for the totals
_PATIENCE = 2.0
_UNREADABLE = (sqlite3.DatabaseError, zlib.error, msgspec.DecodeError)


class Collector:
    """One store, open.

    Args:
        metrics: where it counts what comes in.
    """

    def __init__(self, settings: CollectorSettings, metrics: Metrics) -> None:
        self.settings = settings
        self.keeper = Keeper(Store(Path(settings.path), settings.store), settings.waiting)
        promises = [Path(file) for file in (settings.promises, settings.journeys) if file]
        self.watching = Watching(self.keeper.store, promises, settings.console)
        self._metrics = metrics

    @property
    def store(self) -> Store:
        return self.keeper.store

    async def take(self, body: bytes, encoding: str, format: str, take: Take) -> int:
        """Have a body unpacked, read and put into the store, by the store's thread.

        Raises:
            Malformed, TooLarge: it is not what it should be; nothing of it was taken.
            Overloaded: there is no room for it now.
        """
        limit = self.settings.unpacked

        def work(store: Store) -> int:
            return take(store, inflate(body, encoding, limit), time.time_ns() // 1000)

        self.count("messages", "Requests with spans", format=format)
        self.count("bytes", "Bytes of them, as they came", len(body), format=format)
        try:
            count = await asyncio.wrap_future(self.keeper.submit(work, len(body) + 4096))
        except Full:
            self.count("messages_dropped", "Requests whose spans were not taken", reason="full")
            raise Overloaded(detail="Too many spans wait to be read.") from None
        except (ValueError, TooLarge):
            self.count("messages_dropped", "Requests whose spans were not taken", reason="invalid")
            raise
        self.count("spans", "Spans that came", count, format=format)
        return count

    @property
    def watch(self) -> Watch:
        return self.watching.watch

    def add(self, store: Store, spans: list[Span]) -> int:
        """Put spans into the store, and look at them; how many were not kept."""
        over = store.add(spans)
        self.watch.seen(spans)
        return over

    def close(self) -> None:
        """Write what is not written. Blocks."""
        self.watching.close()
        self.keeper.close()

    def dropped(self, count: int, reason: str) -> None:
        """Count spans that came and are not kept."""
        if count:
            self.count("spans_dropped", "Spans that came and are not kept", count, reason=reason)

    def count(self, name: str, help: str, n: int = 1, **labels: str) -> None:
        """Count something that happened."""
        self._metrics.counter(f"skerry_collector_{name}", help, **labels).add(n)

    def read(self, query: Callable[[Store], T]) -> T:
        """What a query finds; a file that turns out to be broken is set aside.

        Raises:
            Overloaded: it could not be read.
        """
        try:
            return query(self.store)
        except _UNREADABLE as error:
            if is_broken(error) or not isinstance(error, sqlite3.Error):
                self.keeper.give_up(error)
            raise Overloaded(detail=f"The span store cannot be read: {error}") from error

    def read_totals(self, query: Callable[[Store], T]) -> T:
        """The same, of the totals: brought up to date before, unless too much would be to do."""

        def work(store: Store) -> int:
            store.count(everything=store.uncounted <= _FEW)
            return 0

        with suppress(Full, TimeoutError):
            self.keeper.submit(work, 0).result(_PATIENCE)
        return self.read(query)

    def health(self) -> None:
        """Raise if spans cannot be kept."""
        if self.keeper.trouble is not None:
            raise OSError(self.keeper.trouble)
