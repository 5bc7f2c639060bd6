"""The buffer between whoever makes a body and whoever reads it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from skerry.core.errors import ConnectionLost
from skerry.core.wire import Stream
from skerry.transport.pipe import LIMIT, Pipe, pump


async def test_chunks_come_in_order_and_end() -> None:
    pipe = Pipe()
    assert pipe.feed(b"a")
    assert pipe.feed(b"")
    assert pipe.feed(b"b")
    pipe.end()
    pipe.feed(b"too late")
    assert [chunk async for chunk in pipe] == [b"a", b"b"]
    assert [chunk async for chunk in pipe] == []


async def test_what_came_is_read_before_the_error() -> None:
    pipe = Pipe()
    pipe.feed(b"a")
    pipe.end(ConnectionLost("cut"))
    pipe.end()
    assert await anext(pipe) == b"a"
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            await anext(pipe)


async def test_a_full_pipe_says_so_and_tells_when_there_is_room() -> None:
    room: list[int] = []
    pipe = Pipe(on_room=lambda: room.append(1))
    assert pipe.feed(b"x" * (LIMIT - 1))
    assert not pipe.feed(b"y")
    assert not pipe.feed(b"z")
    await anext(pipe)
    assert room == [1]
    assert await anext(pipe) == b"y"
    assert await anext(pipe) == b"z"
    assert room == [1]


async def test_put_waits_for_room() -> None:
    pipe = Pipe()
    task = asyncio.ensure_future(pipe.put(b"x" * LIMIT))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not task.done()
    await anext(pipe)
    await task


async def test_closing_early_tells_the_maker_once_and_frees_whoever_waits() -> None:
    closed: list[int] = []
    pipe = Pipe(on_close=lambda: closed.append(1))
    task = asyncio.ensure_future(pipe.put(b"x" * LIMIT))
    await asyncio.sleep(0)
    await pipe.aclose()
    await pipe.aclose()
    await task
    assert closed == [1]
    assert [chunk async for chunk in pipe] == []


async def test_closing_after_the_end_is_nobodys_business() -> None:
    closed: list[int] = []
    pipe = Pipe(on_close=lambda: closed.append(1))
    pipe.end()
    pipe.close()
    assert closed == []


@pytest.mark.parametrize("how", ["end", "error", "closed", "cancelled"])
async def test_pump_closes_its_source_whatever_happens(how: str) -> None:
    ended: list[BaseException | None] = []

    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"
        if how == "error":
            raise LookupError
        if how == "cancelled":
            await asyncio.Event().wait()
        if how == "closed":
            yield b"x" * LIMIT
            yield b"never"

    pipe = Pipe()
    source = Stream(chunks())
    source.on_end(ended.append)
    task = asyncio.ensure_future(pump(source, pipe))
    assert await anext(pipe) == b"a"
    await asyncio.sleep(0)
    if how == "closed":
        pipe.close()
    if how == "cancelled":
        task.cancel()
    results = await asyncio.gather(task, return_exceptions=True)
    expected = {"error": LookupError, "cancelled": asyncio.CancelledError}
    assert isinstance(results[0], expected.get(how, type(None)))
    assert len(ended) == 1
    if how in expected:
        with pytest.raises(ConnectionLost):
            await anext(pipe)
