from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Struct

from skerry.app import App, answers
from skerry.app.events import Feed, encode_event
from skerry.app.markers import Header
from skerry.app.responses import Reply, ServerSentEvent, html, redirect, text
from skerry.app.testclient import TestClient
from skerry.core.errors import ConfigError, Problem
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


class Missing(Problem, status=404):
    """There is none."""


@pytest.fixture
def late() -> App:
    """Answers whose first item takes a moment, or never comes."""
    app = App("a")

    @app.get("/none", raises=[Missing])
    async def none(accept: Annotated[str, Header()] = "") -> AsyncIterator[Tick]:
        await asyncio.sleep(0.01)
        raise Missing
        yield Tick(0)

    @app.get("/empty")
    async def empty() -> AsyncIterator[Tick]:
        return
        yield Tick(0)

    @app.get("/slow", timeout=0.05)
    async def slow() -> AsyncIterator[Tick]:
        await asyncio.sleep(30)
        yield Tick(0)

    @app.get("/quiet", timeout=0.05)
    async def quiet() -> AsyncIterator[ServerSentEvent[Tick]]:
        await asyncio.sleep(30)
        yield ServerSentEvent(Tick(0))

    @app.get("/opened", timeout=0.05)
    async def opened() -> AsyncIterator[Tick]:
        async def items() -> AsyncIterator[Tick]:
            await asyncio.sleep(0.1)
            yield Tick(7)

        return items()

    @app.post("/sum")
    async def sum_of(ticks: AsyncIterator[Tick]) -> int:
        return sum([tick.n async for tick in ticks])

    return app


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
async def test_what_is_wrong_before_the_first_item_is_an_answer(late: App, accept: str) -> None:
    async with TestClient(late) as client:
        missing = await client.get("/none", headers={"accept": accept})
        assert (missing.status, missing.json()["title"]) == (404, "There is none")
        empty = await client.get("/empty", headers={"accept": accept})
        assert (empty.status, empty.content) == (200, b"")


async def test_the_first_item_comes_before_the_deadline(late: App) -> None:
    async with TestClient(late) as client:
        assert (await client.get("/slow")).status == 504


async def test_a_function_that_returns_an_iterator_has_begun_its_answer(late: App) -> None:
    async with TestClient(late) as client:
        assert (await client.get("/opened")).lines() == [{"n": 7}]


async def test_a_feed_of_events_begins_before_there_are_any(
    late: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "_PATIENCE", 0.01)
    async with TestClient(late) as client:
        answer = await client.send("GET", "/quiet")
        assert isinstance(answer.body, Stream)
        assert await anext(answer.body) == b":\n\n"
        await answer.body.aclose()


async def test_a_silent_feed_says_that_it_is_alive() -> None:
    more = asyncio.Event()
    closed: list[bool] = []

    async def items() -> AsyncIterator[int]:
        try:
            async with asyncio.timeout(30):  # one task runs all of it, or this would break
                yield 1
                await more.wait()
                yield 2
        finally:
            closed.append(True)

    feed = Feed(items(), lambda item: b"%d" % item, every=0.01)
    await feed.first(5)
    assert await anext(feed) == b"1"
    assert await anext(feed) == b":\n\n"
    assert await anext(feed) == b":\n\n"
    more.set()
    rest = [chunk async for chunk in feed if chunk != b":\n\n"]
    assert (rest, closed) == ([b"2"], [True])
    with pytest.raises(StopAsyncIteration):
        await anext(feed)
    await feed.aclose()


async def test_a_feed_that_is_not_read_on_waits_and_can_be_closed() -> None:
    made: list[int] = []

    async def items() -> AsyncIterator[int]:
        try:
            for number in range(1000):
                made.append(number)
                yield number
        finally:
            made.append(-1)

    feed = Feed(items(), lambda item: b"%d" % item)
    await feed.first(5)
    await asyncio.sleep(0.01)
    assert len(made) < 5
    await feed.aclose()
    assert made[-1] == -1


async def test_a_feed_fails_with_what_its_source_raises() -> None:
    async def failing() -> AsyncIterator[int]:
        yield 1
        raise OSError("gone")

    async def cancelled() -> AsyncIterator[int]:
        yield 1
        inner = asyncio.get_running_loop().create_future()
        inner.cancel()
        await inner

    for source, error in ((failing(), OSError), (cancelled(), RuntimeError)):
        feed = Feed(source, lambda item: b"%d" % item)
        assert await anext(feed) == b"1"
        with pytest.raises(error):
            await anext(feed)


async def test_events_of_text_and_comments() -> None:
    def encode(item: Any) -> bytes:
        return msgspec.json.encode(item)

    event: ServerSentEvent[Any] = ServerSentEvent(text="a\r\nb\rc", comment="hello\nyou")
    assert encode_event(encode, event) == (b": hello\n: you\ndata: a\ndata: b\ndata: c\n\n")
    assert encode_event(encode, ServerSentEvent(None, id="1")) == b"id: 1\ndata: null\n\n"
    assert encode_event(encode, ServerSentEvent(retry=5)) == b"retry: 5\n\n"
    with pytest.raises(ValueError, match="one line"):
        encode_event(encode, ServerSentEvent(1, event="a\nb"))


async def test_the_contract_of_events_is_their_data(late: App) -> None:
    operation = next(o for o in late.contract().operations if o.name == "quiet")
    assert (operation.answer.type, operation.answer.media_type) == (Tick, "text/event-stream")


async def test_a_faulty_item_is_told_by_its_line(late: App) -> None:
    async with TestClient(late) as client:
        kind = {"content-type": "application/x-ndjson"}
        lines = b'{"n": 1}\n\n{"n": "x"}\n'
        answer = await client.post("/sum", content=lines, headers=kind)
        assert (answer.status, answer.json()["detail"][:7]) == (422, "Line 3:")
        answer = await client.post("/sum", content=b'{"n": 1}\n{', headers=kind)
        assert (answer.status, answer.json()["detail"][:7]) == (400, "Line 2:")


async def test_a_typed_answer_may_have_headers() -> None:
    app = App("a")

    @app.post("/ticks", status=201)
    async def make_tick() -> Reply[Tick]:
        return Reply(Tick(1), {"Location": "/ticks/1"})

    @app.delete("/ticks")
    async def remove() -> Reply[None]:
        return Reply(None, [("x-a", "1"), ("x-a", "2")])

    async with TestClient(app) as client:
        answer = await client.post("/ticks")
        assert (answer.status, answer.json()) == (201, {"n": 1})
        assert answer.headers.get("location") == "/ticks/1"
        gone = await client.request("DELETE", "/ticks")
        assert (gone.status, gone.headers.get_all("x-a")) == (204, ["1", "2"])
    assert app.contract().operations[0].answer.type is Tick


@pytest.mark.parametrize("path", ["/bytes", "/response", "/cancelled", "/exit"])
async def test_a_broken_promise_is_a_problem_document(path: str) -> None:
    app = App("a")

    @app.get("/bytes")
    async def as_bytes() -> bytes:
        return "text"  # type: ignore[return-value]

    @app.get("/response")
    async def as_response() -> Response:
        return "text"  # type: ignore[return-value]

    @app.get("/cancelled")
    async def cancelled() -> str:
        inner = asyncio.get_running_loop().create_future()
        inner.cancel()
        return str(await inner)

    @app.get("/exit")
    async def leave() -> str:
        raise SystemExit(3)

    async with TestClient(app) as client:
        answer = await client.get(path)
    assert (answer.status, answer.headers.get("content-type")) == (500, "application/problem+json")


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
