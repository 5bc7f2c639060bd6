"""A body on its way from whoever makes it to whoever reads it.

Between the two stands a buffer with a limit, so that a slow reader slows the maker down instead
of filling memory: a socket is not read on, an app's generator is not resumed.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from skerry.core.errors import ConnectionLost
from skerry.core.wire import Stream

T = TypeVar("T")

LIMIT = 1 << 16
"""Bytes that wait in a pipe before its maker is asked to wait."""


def _nothing() -> None:
    pass


class Pipe:
    """An async iterator of the chunks that someone else feeds into it; in one event loop.

    Args:
        on_room: called when the buffer, having been full, has room again.
        on_close: called when the reader closes it before its end, once.
    """

    __slots__ = (
        "_buffered",
        "_chunks",
        "_ended",
        "_error",
        "_full",
        "_on_close",
        "_on_room",
        "_reader",
        "_writer",
    )

    def __init__(
        self,
        *,
        on_room: Callable[[], object] = _nothing,
        on_close: Callable[[], object] = _nothing,
    ) -> None:
        self._on_room = on_room
        self._on_close = on_close
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._full = False
        self._ended = False
        self._error: BaseException | None = None
        self._reader: Future[None] | None = None
        self._writer: Future[None] | None = None

    def feed(self, chunk: bytes) -> bool:
        """Add a chunk. False says: no more, please, until ``on_room`` is called."""
        if self._ended or not chunk:
            return not self._full
        self._chunks.append(chunk)
        self._buffered += len(chunk)
        self._full = self._buffered >= LIMIT
        _wake(self._reader)
        return not self._full

    async def put(self, chunk: bytes) -> None:
        """Add a chunk, and wait while the pipe is full."""
        if not self.feed(chunk) and not self._ended:
            self._writer = asyncio.get_running_loop().create_future()
            await self._writer

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more will come: the body is complete, or broken by ``error``."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._on_room = _nothing  # what lies behind may serve something else by now
            _wake(self._reader)
            _wake(self._writer)

    @property
    def ended(self) -> bool:
        return self._ended

    def __aiter__(self) -> Pipe:
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            if self._ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        chunk = self._chunks.popleft()
        self._buffered -= len(chunk)
        if self._full and self._buffered < LIMIT:
            self._full = False
            self._on_room()
            _wake(self._writer)
        return chunk

    def close(self) -> None:
        """Read no further. What is buffered is dropped; the maker is told if it was not done."""
        unfinished = not self._ended
        self._chunks.clear()
        self.end()
        if unfinished:
            self._on_close()

    async def aclose(self) -> None:
        self.close()


class Reader:
    """The reading end of a pipe whose maker outlives its reader: a socket, or an app's task.

    A body that nobody reads would hold either of them for good. So a reader that is forgotten
    closes its pipe.
    """

    __slots__ = ("_loop", "_pipe")

    def __init__(self, pipe: Pipe, loop: AbstractEventLoop) -> None:
        self._pipe = pipe
        self._loop = loop

    def __aiter__(self) -> Reader:
        return self

    def __anext__(self) -> Coroutine[Any, Any, bytes]:
        return self._pipe.__anext__()

    async def aclose(self) -> None:
        self._pipe.close()

    def __del__(self) -> None:
        if not self._pipe.ended:
            with suppress(RuntimeError):  # the loop is closed, and its sockets with it
                self._loop.call_soon_threadsafe(self._pipe.close)


def _wake(waiter: Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


async def pump(source: Stream, pipe: Pipe) -> None:
    """Feed ``source`` into ``pipe`` to its end, then close it, whatever happens.

    Raises:
        Exception: what ``source`` raised; whoever reads the pipe sees ``ConnectionLost``.
    """
    lost = ConnectionLost("the other side stopped in the middle of the body")
    try:
        async for chunk in source:
            await pipe.put(chunk)
            if pipe.ended:
                return
        pipe.end()
    except BaseException as error:
        lost.__cause__ = error
        raise
    finally:
        pipe.end(lost)
        await source.aclose()


class Remote:
    """A stream that lives in another event loop, read from this one.

    Args:
        stream: the stream.
        loop: where it lives.
    """

    __slots__ = ("_loop", "_stream")

    def __init__(self, stream: Stream, loop: AbstractEventLoop) -> None:
        self._stream = stream
        self._loop = loop

    def __aiter__(self) -> Remote:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._there(self._next())
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        if not self._loop.is_closed():
            await self._there(self._stream.aclose())

    async def _next(self) -> bytes | None:
        # StopAsyncIteration cannot be carried by a future
        async for chunk in self._stream:
            return chunk
        return None

    async def _there(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))
