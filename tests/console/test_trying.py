"""The way a tried call takes, and what comes back of odd answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from skerry.console import trying
from skerry.console.trying import NobodyThere, way
from skerry.core.errors import NotFound
from skerry.core.wire import Headers, Response, Stream


def status(**more: Any) -> dict[str, Any]:
    return {
        "front": "http://127.0.0.1:8080",
        "edges": [{"state": "ready"}],
        "apps": [
            {"app": "shop", "kind": "app", "url": ""},
            {"app": "far", "kind": "outside", "url": "http://far/api"},
        ],
        "instances": [{"app": "shop", "state": "ready", "url": "http://127.0.0.1:9001"}],
    } | more


def test_through_the_front_door() -> None:
    found = way(status(), "shop")
    assert (found.url, found.host) == ("http://127.0.0.1:8080", "shop.localhost:8080")
    assert way(status(), "far").shown == "http://far/api"


def test_or_straight_where_nobody_is_at_the_door() -> None:
    found = way(status(edges=[{"state": "crashed"}]), "shop")
    assert (found.url, found.host) == ("http://127.0.0.1:9001", "")
    assert way(status(front=""), "far").url == "http://far/api"


def test_who_cannot_be_called() -> None:
    with pytest.raises(NotFound, match="Did you mean 'shop'"):
        way(status(), "shp")
    with pytest.raises(NobodyThere, match="ready"):
        way(status(instances=[{"app": "shop", "state": "crashed", "url": "http://x"}]), "shop")
    with pytest.raises(NobodyThere, match="serves nothing"):
        way(status(instances=[{"app": "shop", "state": "ready", "url": ""}]), "shop")


async def chunks(*parts: bytes, endless: bool = False) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    if endless:
        await asyncio.Event().wait()


async def test_long_and_endless_answers_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "_LISTENING", 0.05)
    whole = Response(200, Headers(), b"abcdef")
    assert await trying._read(whole, 4) == (b"abcd", "long")
    assert await trying._read(whole, 6) == (b"abcdef", "")
    streamed = Response(200, Headers(), Stream(chunks(b"abc", b"def")))
    assert await trying._read(streamed, 4) == (b"abcd", "long")
    going_on = Response(200, Headers(), Stream(chunks(b"abc", endless=True)))
    assert await trying._read(going_on, 100) == (b"abc", "endless")
