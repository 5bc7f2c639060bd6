"""The live stream: documents that pages look at, sent whenever they have changed.

A *feed* is a question that is asked over and over while somebody looks at its answer, once for
all who do; while nobody does, nothing is asked. A browser has one stream for all the feeds of
its page: browsers open six connections to a host at most, over all tabs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from skerry.core.errors import BadRequest, Error, nearest

Read: TypeAlias = Callable[[str], Awaitable[bytes]]
"""From what stands after the colon of a feed's name to a line of JSON."""

HEARTBEAT = 15.0  # seconds of silence before a comment says that the stream is alive


@dataclass(frozen=True, slots=True)
class Source:
    """Where the documents of a feed come from.

    Attributes:
        every: seconds between two questions.
    """

    read: Read
    every: float = 1.0


class _Feed:
    """One feed while it is watched.

    Attributes:
        event: what its last answer looks like in a stream; empty before the first.
        version: counts the answers that differed.
    """

    def __init__(self, name: str, argument: str, source: Source) -> None:
        self.event = b""
        self.version = 0
        self.watchers: set[asyncio.Event] = set()
        self._name = f"{name}:{argument}" if argument else name
        self._argument = argument
        self._source = source
        self._task = asyncio.create_task(self._run(), name=f"feed {self._name}")

    def stop(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            try:
                kind, document = "feed", await self._source.read(self._argument)
            except Error as error:  # the page says so, and the next answer may be a better one
                said = str(getattr(error, "detail", "") or error)
                kind, document = "trouble", msgspec.json.encode(said)
            self._say(
                b'event: %s\ndata: {"name":%s,"value":%s}\n\n'
                % (
                    kind.encode(),
                    msgspec.json.encode(self._name),
                    document,
                )
            )
            await asyncio.sleep(self._source.every)

    def _say(self, event: bytes) -> None:
        if event != self.event:
            self.event = event
            self.version += 1
            for watcher in self.watchers:
                watcher.set()


class Feeds:
    """All feeds of the console."""

    def __init__(self) -> None:
        self._sources: dict[str, Source] = {}
        self._running: dict[str, _Feed] = {}

    def add(self, name: str, read: Read, every: float = 1.0) -> None:
        """Offer a feed."""
        self._sources[name] = Source(read, every)

    def check(self, names: Iterable[str]) -> None:
        """Refuse names that are no feed's.

        Raises:
            BadRequest: one of them.
        """
        for name in names:
            kind = name.partition(":")[0]
            if kind not in self._sources:
                raise BadRequest(detail=f"no feed is named {kind!r}.{nearest(kind, self._sources)}")

    async def watch(self, names: Iterable[str]) -> AsyncIterator[bytes]:
        """Server-sent events: ``feed`` with ``{"name", "value"}`` for each document, now and at
        every change; ``trouble`` with what is wrong as its value where there is none."""
        woken = asyncio.Event()
        watched = {name: self._join(name, woken) for name in dict.fromkeys(names)}
        seen = dict.fromkeys(watched, 0)
        try:
            yield b"retry: 1000\n\n"
            while True:
                woken.clear()
                for name, feed in watched.items():
                    if feed.version != seen[name]:
                        seen[name] = feed.version
                        yield feed.event
                try:
                    async with asyncio.timeout(HEARTBEAT):
                        await woken.wait()
                except TimeoutError:
                    yield b":\n\n"
        finally:
            for name in watched:
                self._leave(name, woken)

    def _join(self, name: str, woken: asyncio.Event) -> _Feed:
        feed = self._running.get(name)
        if feed is None:
            kind, _, argument = name.partition(":")
            feed = self._running[name] = _Feed(kind, argument, self._sources[kind])
        feed.watchers.add(woken)
        return feed

    def _leave(self, name: str, woken: asyncio.Event) -> None:
        feed = self._running[name]
        feed.watchers.discard(woken)
        if not feed.watchers:
            feed.stop()
            del self._running[name]

    def close(self) -> None:
        for feed in self._running.values():
            feed.stop()
        self._running.clear()
