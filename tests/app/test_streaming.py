from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec import Struct

from skerry.app import App
from skerry.app.responses import ServerSentEvent, html, redirect, text
from skerry.app.testclient import TestClient
from skerry.core.errors import ConfigError
from skerry.core.wire import Response, Stream


class Tick(Struct):
    n: int


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def app(log: list[str]) -> App:
    app = App("a")

    @app.get("/ticks")
    async def ticks(count: int = 3) -> AsyncIterator[Tick]:
        try:
            for n in range(count):
                yield Tick(n)
                await asyncio.sleep(0)
        finally:
            log.append("closed")

    @app.get("/events")
    async def events() -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent({"n": 1}, event="tick", id="7", retry=1000)
        yield ServerSentEvent("two\nlines")

    @app.post("/shout")
    async def shout(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in body:
            yield chunk.upper()

    @app.get("/failing")
    async def failing() -> AsyncIterator[Tick]:
        yield Tick(0)
        raise RuntimeError("in the middle")

    @app.get("/page", media_type="text/html")
    async def page() -> Response:
        return html("<h1>ü</h1>", 201)

    @app.get("/text")
    async def plain() -> Response:
        return text("hello")

    @app.get("/go")
    async def go() -> Response:
        return redirect("/päge?a=b c")

    @app.put("/raw")
    async def raw(body: bytes) -> bytes:
        return body[::-1]

    return app


async def test_items_are_lines_or_events_as_the_caller_asks(app: App, log: list[str]) -> None:
    async with TestClient(app) as client:
        lines = await client.get("/ticks")
        assert lines.headers.get("content-type") == "application/x-ndjson"
        assert lines.lines() == [{"n": 0}, {"n": 1}, {"n": 2}]
        events = await client.get("/ticks?count=2", headers={"accept": "text/event-stream"})
        assert events.headers.get("content-type") == "text/event-stream"
        assert events.text == 'data: {"n":0}\n\ndata: {"n":1}\n\n'
    assert log == ["closed", "closed"]


async def test_events_carry_their_fields(app: App) -> None:
    async with TestClient(app) as client:
        answer = await client.get("/events")
    assert answer.text == (
        'event: tick\nid: 7\nretry: 1000\ndata: {"n":1}\n\ndata: "two\\nlines"\n\n'
    )


async def test_both_ways_at_once(app: App) -> None:
    sent: list[bytes] = []

    async def slowly() -> AsyncIterator[bytes]:
        for chunk in (b"one ", b"two ", b"three"):
            sent.append(chunk)
            yield chunk

    async with TestClient(app) as client:
        answer = await client.send(
            "POST",
            "/shout",
            content=slowly(),
            headers={"content-type": "application/octet-stream"},
        )
        assert isinstance(answer.body, Stream)
        assert await anext(answer.body) == b"ONE "
        assert len(sent) < 3 or sent == [b"one ", b"two ", b"three"]
        assert b"".join([chunk async for chunk in answer.body]) == b"TWO THREE"


async def test_the_function_ends_when_the_caller_goes_away(app: App, log: list[str]) -> None:
    async with TestClient(app) as client:
        answer = await client.send("GET", "/ticks?count=1000000")
        assert isinstance(answer.body, Stream)
        await anext(answer.body)
        await answer.body.aclose()
        for _ in range(100):
            if log:
                break
            await asyncio.sleep(0.01)
    assert log == ["closed"]


async def test_a_stream_that_fails_does_not_end_as_if_it_had_not(app: App) -> None:
    async with TestClient(app) as client:
        with pytest.raises(RuntimeError, match="in the middle"):
            await client.get("/failing")


async def test_ready_answers(app: App) -> None:
    async with TestClient(app) as client:
        page = await client.get("/page")
        assert (page.status, page.text) == (201, "<h1>ü</h1>")
        assert page.headers.get("content-type") == "text/html; charset=utf-8"
        assert (await client.get("/text")).text == "hello"
        go = await client.get("/go")
        assert (go.status, go.headers.get("location")) == (303, "/p%C3%A4ge?a=b%20c")
        raw = await client.put("/raw", content=b"abc")
        assert (raw.content, raw.headers.get("content-type")) == (
            b"cba",
            "application/octet-stream",
        )
        head = await client.request("HEAD", "/text")
        assert (head.status, head.content, head.headers.get("content-length")) == (200, b"", "5")
    with pytest.raises(ConfigError):
        redirect("/", 200)


async def test_a_stream_that_never_waits_leaves_room_for_others_and_ends_with_its_reader() -> None:
    app = App("a")
    ended: list[bool] = []

    @app.get("/fire")
    async def fire() -> AsyncIterator[Tick]:
        try:
            while True:
                yield Tick(0)
        finally:
            ended.append(True)

    gone = asyncio.Event()

    async def receive() -> dict[str, str]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        pass  # as servers do once the reader has left: return at once

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/fire",
        "raw_path": b"/fire",
        "query_string": b"",
        "headers": [],
        "client": None,
    }
    task = asyncio.create_task(app(scope, receive, send))  # type: ignore[arg-type]
    await asyncio.sleep(0.02)
    gone.set()
    await asyncio.wait_for(task, 5)
    assert ended == [True]
