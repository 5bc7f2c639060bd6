"""What the page Traces asks, without a browser."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from skerry.console.feeds import Feeds
from skerry.console.traces import get_links, get_names, get_trace, get_traces, offer
from skerry.console.upstream import CollectorAway, Upstream
from skerry.core.wire import Headers, Request, Response

SPANS = [
    {"traceId": "a" * 32, "id": "1" * 16, "timestamp": 1_000_000, "duration": 500},
    {"traceId": "a" * 32, "id": "2" * 16, "parentId": "1" * 16, "timestamp": 1_000_100},
]


class Collector:
    """Answers everything in one way, and keeps what it was asked."""

    def __init__(self, status: int, body: Any) -> None:
        self.asked: list[str] = []
        self._answer = status, json.dumps(body).encode()

    async def __call__(self, request: Request) -> Response:
        self.asked.append(f"{request.path}?{request.query}")
        status, body = self._answer
        return Response(status, Headers([(b"content-type", b"application/json")]), body)


def desk(collector: Collector | None) -> Any:
    upstream = Upstream(collector, CollectorAway, "there is none")
    return SimpleNamespace(collector=upstream, feeds=Feeds())


def body(response: Response) -> Any:
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


async def test_a_trace_comes_as_it_is_drawn() -> None:
    collector = Collector(200, SPANS)
    drawn = await get_trace(desk(collector), "a" * 32)
    assert collector.asked == [f"/api/skerry/traces/{'a' * 32}?"]
    assert [(row["id"], row.get("depth", 0)) for row in body(drawn)["rows"]] == [
        ("1" * 16, 0),
        ("2" * 16, 1),
    ]


async def test_what_the_collector_refuses_is_handed_on() -> None:
    refusing = desk(Collector(404, {"detail": "No trace is kept."}))
    for answer in (await get_trace(refusing, "a/b"), await get_links(refusing, "a/b")):
        assert (answer.status, body(answer)) == (404, {"detail": "No trace is kept."})


async def test_questions_go_where_they_are_answered() -> None:
    collector = Collector(200, [])
    asking = desk(collector)
    await get_traces(asking, Request("GET", "/api/traces", "app=a&where=x%3D1"))
    await get_links(asking, "a/b")
    await get_names(asking)
    await get_names(asking, "a&b")
    assert collector.asked == [
        "/api/skerry/traces?app=a&where=x%3D1",
        "/api/skerry/traces/a%2Fb/links?",
        "/api/v2/services?",
        "/api/v2/spans?serviceName=a%26b",
    ]


async def test_the_feed_asks_what_the_address_says() -> None:
    collector = Collector(200, {"traces": []})
    asking = desk(collector)
    offer(asking)
    events = asking.feeds.watch(["traces:app%3Da%26where%3Dx%253D1%252C2"])
    async for event in events:
        if b"feed" in event:
            break
    await events.aclose()
    assert collector.asked == ["/api/skerry/traces?app=a&where=x%3D1%2C2"]


async def test_a_fleet_without_a_collector_says_so() -> None:
    with pytest.raises(CollectorAway) as raised:
        await get_traces(desk(None), Request("GET", "/api/traces", ""))
    assert raised.value.detail == "there is none"
