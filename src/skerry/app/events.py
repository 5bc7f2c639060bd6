"""Server-sent events (WHATWG HTML, 9.2): items as text that a browser's EventSource reads.

A feed of events may be silent for hours. So that neither a proxy between nor the reader takes it
for dead, a comment is sent after some seconds of silence, and one at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, get_origin

from msgspec import UNSET

from skerry.core.wire import Request

from .responses import ServerSentEvent

EVENTS = "text/event-stream"

HEARTBEAT = 15.0
"""Seconds of silence before a comment says that the stream is alive."""

_SILENCE = b":\n\n"


def is_event(kind: Any) -> bool:
    """Whether items of this type are events as they are, and not the data of one."""
    return kind is ServerSentEvent or get_origin(kind) is ServerSentEvent


def wants_events(request: Request) -> bool:
    """Whether the caller asks for server-sent events rather than NDJSON."""
    before, events, _ = (request.headers.find(b"accept") or b"").partition(b"text/event-stream")
    return bool(events) and b"application/x-ndjson" not in before


def encode_event(encode: Callable[[Any], bytes], item: Any) -> bytes:
    """One event; an item that is not a ``ServerSentEvent`` is its data.

    Raises:
        ValueError: a field that is one line is not.
    """
    if not isinstance(item, ServerSentEvent):
        return b"data: " + encode(item) + b"\n\n"
    lines = [b": " + line + b"\n" for line in _lines(item.comment)] if item.comment else []
    for name, value in (("event", item.event), ("id", item.id)):
        if value:
            if "\n" in value or "\r" in value or "\0" in value:
                raise ValueError(f"an event's {name} is one line")
            lines.append(f"{name}: {value}\n".encode())
    if item.retry is not None:
        lines.append(b"retry: %d\n" % item.retry)
    if item.text is not None:
        lines += [b"data: " + line + b"\n" for line in _lines(item.text)]
    elif item.data is not UNSET:
        lines.append(b"data: " + encode(item.data) + b"\n")
    return b"".join(lines) + b"\n"


def _lines(text: str) -> list[bytes]:
    return text.replace("\r\n", "\n").replace("\r", "\n").encode().split(b"\n")


class Feed:
    """Items as events, with comments in between where there are none.

    The source runs in a task of its own, which waits whenever an item has not been taken: one
    task for all of it, because what a generator holds over a ``yield`` (a timeout, a task
    group) belongs to the task that entered it.
    """

    def __init__(
        self, items: AsyncIterator[Any], write: Callable[[Any], bytes], every: float = HEARTBEAT
    ) -> None:
        self._items = items
        self._write = write
        self._every = every
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._ahead: list[bytes] = []
        self._ended = False
        self._task = asyncio.create_task(self._pump())

    async def first(self, patience: float) -> None:
        """Wait up to ``patience`` seconds for the first item, so that what is wrong is raised
        before the stream has begun."""
        try:
            async with asyncio.timeout(patience):
                chunk = await self._next()
        except TimeoutError:
            self._ahead.append(_SILENCE)
        except StopAsyncIteration:
            return
        except BaseException:
            await self.aclose()
            raise
        else:
            self._ahead.append(chunk)

    async def _pump(self) -> None:
        try:
            async for item in self._items:
                await self._queue.put(self._write(item))
        finally:
            close = getattr(self._items, "aclose", None)
            if close is not None:
                await close()
            if not self._closing():
                await self._queue.put(None)

    def _closing(self) -> bool:
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    def __aiter__(self) -> Feed:
        return self

    async def __anext__(self) -> bytes:
        if self._ahead:
            return self._ahead.pop()
        try:
            async with asyncio.timeout(self._every):
                return await self._next()
        except TimeoutError:
            return _SILENCE

    async def _next(self) -> bytes:
        chunk = None if self._ended else await self._queue.get()
        if chunk is not None:
            return chunk
        self._ended = True
        await asyncio.wait([self._task])
        if self._task.cancelled():  # from inside; whoever reads has not been cancelled
            raise RuntimeError("what the events come from was cancelled")
        self._task.result()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # nobody is left who could be told
