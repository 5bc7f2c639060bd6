"""Event streams of our own apps, read by each kind of client that their contract makes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from skerry.app import App
from skerry.app.responses import ServerSentEvent
from skerry.app.testclient import TestClient
from skerry.clients.dynamic import connect
from skerry.contract.openapi import document

from .support import generated

httpx = pytest.importorskip("httpx", reason="plain clients need httpx: pip install httpx")


class Rate(Struct):
    pair: str
    rate: Decimal


RATES = [("EUR/USD", Decimal("1.10")), ("a\u2028b\x85c", Decimal(2))]
WORDS = ["plain", "two\nlines", "", '"quoted"', "[DONE]", " spaces "]


def made() -> App:
    app = App("feed", version="1.0.0")

    @app.get("/rates")
    async def rates() -> AsyncIterator[ServerSentEvent[Rate]]:
        yield ServerSentEvent(comment="welcome")
        for number, (pair, rate) in enumerate(RATES):
            yield ServerSentEvent(Rate(pair, rate), event="rate", id=str(number), retry=100)
            yield ServerSentEvent(event="nothing")

    @app.get("/words")
    async def words() -> AsyncIterator[ServerSentEvent[str]]:
        for word in WORDS:
            yield ServerSentEvent(text=word)
        yield ServerSentEvent("json")

    @app.get("/lines")
    async def lines() -> AsyncIterator[Rate]:
        for pair, rate in RATES:
            yield Rate(pair, rate)

    return app


async def check(client: Any) -> None:
    for stream in (client.rates, client.lines):
        found = [(item.pair, Decimal(item.rate)) async for item in await stream()]
        assert found == RATES
    assert [word async for word in await client.words()] == [
        *(word.strip('"') for word in WORDS),
        "json",
    ]


async def test_a_generated_client(tmp_path: Any) -> None:
    app = made()
    module = generated(document(app.contract()), tmp_path, "feed")
    assert "async def rates(self) -> Items[Rate]" in (tmp_path / "feed.py").read_text()
    async with TestClient(app):
        await check(module.Feed(app.service))


async def test_a_client_made_at_run_time() -> None:
    app = made()
    async with TestClient(app):
        await check(connect(app.service, "feed"))


async def test_a_plain_client(tmp_path: Any) -> None:
    app = made()
    module = generated(document(app.contract()), tmp_path, "plain_feed", plain=True)
    async with TestClient(app):
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app))
        async with module.PlainFeed("http://feed", http=http) as client:
            await check(client)


async def test_lines_are_lines_where_they_are_asked_for_first() -> None:
    app = made()
    async with TestClient(app) as client:
        for accept, media_type in [
            ("application/x-ndjson, text/event-stream", "application/x-ndjson"),
            ("text/event-stream", "text/event-stream"),
            ("text/event-stream, application/x-ndjson", "text/event-stream"),
            ("*/*", "application/x-ndjson"),
        ]:
            answer = await client.get("/lines", headers={"accept": accept})
            assert answer.headers.get("content-type") == media_type


Splitter = Callable[..., Any]


@pytest.fixture(scope="module")
def splitter(tmp_path_factory: pytest.TempPathFactory) -> Splitter:
    folder = tmp_path_factory.mktemp("events")
    made: Splitter = generated(document(_contract()), folder, "plain_events", plain=True).Splitter
    return made


def _contract() -> Any:
    return made().contract()


def split(splitter: Splitter, kind: str, text: bool, chunks: Iterator[bytes]) -> list[bytes]:
    feed = splitter(httpx.Response(200, headers={"content-type": kind}), text=text)
    return [item for chunk in chunks for item in feed.feed(chunk)] + [*feed.feed(b"", end=True)]


@given(cuts=st.lists(st.integers(0, 200)), end=st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_the_plain_clients_events_come_out_whole(
    splitter: Splitter, cuts: list[int], end: bytes
) -> None:
    data = (
        b"\xef\xbb\xbf: comment\nevent: x\nid: 3\ndata: one\ndata:two\n\n"
        b"data\n\nretry: 10\n\ndata: \xe2\x80\xa8\n\ndata: [DONE]\n\ndata: cut off"
    ).replace(b"\n", end)
    places = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    chunks = [data[a:b] for a, b in pairwise(places)]
    found = split(splitter, "text/event-stream; charset=utf-8", False, iter(chunks))
    assert found == [b"one\ntwo", b"\xe2\x80\xa8"]
    found = split(splitter, "text/event-stream", True, iter(chunks))
    assert found == [b"one\ntwo", b"", b"\xe2\x80\xa8", b"[DONE]"]


def test_the_plain_clients_lines(splitter: Splitter) -> None:
    found = split(splitter, "application/x-ndjson", False, iter([b'{"a":', b"1}\r\n\n2\n", b"3"]))
    assert found == [b'{"a":1}\r', b"2", b"3"]
