"""The live stream: what is watched is asked for, once for all who watch, and no longer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from skerry.console.feeds import Feeds
from skerry.core.errors import BadRequest, NotFound


class Said:
    """A source that counts how often it is asked."""

    def __init__(self) -> None:
        self.value: Any = 1
        self.asked = 0
        self.fail = False
        self._again = asyncio.Event()

    async def times(self, count: int) -> None:
        """Until it has been asked so many times more."""
        for _ in range(count):
            self._again.clear()
            async with asyncio.timeout(10):
                await self._again.wait()

    async def __call__(self, argument: str) -> bytes:
        self.asked += 1
        self._again.set()
        if self.fail:
            raise NotFound(detail="gone")
        return json.dumps([argument, self.value]).encode()


async def events(stream: AsyncIterator[bytes], count: int) -> list[tuple[str, Any]]:
    found = []
    async with asyncio.timeout(10):
        async for chunk in stream:
            if chunk.startswith(b"event: "):
                head, data = chunk.decode().strip().split("\n")
                kind, value = head.removeprefix("event: "), data.removeprefix("data: ")
                found.append((kind, json.loads(value)))
                if len(found) == count:
                    break
    return found


async def test_now_and_at_every_change_and_at_no_other_time() -> None:
    feeds, said = Feeds(), Said()
    feeds.add("one", said, every=0.01)
    stream = feeds.watch(["one:x"])
    assert await events(stream, 1) == [("feed", {"name": "one:x", "value": ["x", 1]})]
    await said.times(3)
    said.value = 2
    assert await events(stream, 1) == [("feed", {"name": "one:x", "value": ["x", 2]})]
    await stream.aclose()
    await asyncio.sleep(0.03)
    asked = said.asked
    await asyncio.sleep(0.05)
    assert said.asked == asked  # nobody watches


async def test_two_watchers_ask_once() -> None:
    feeds, said = Feeds(), Said()
    feeds.add("one", said, every=60)
    first, second = feeds.watch(["one"]), feeds.watch(["one"])
    assert await events(first, 1) == await events(second, 1)
    assert said.asked == 1
    await first.aclose()
    assert await events(feeds.watch(["one"]), 1)  # what is known, at once
    assert said.asked == 1
    feeds.close()


async def test_trouble_is_told_and_passes() -> None:
    feeds, said = Feeds(), Said()
    feeds.add("one", said, every=0.01)
    said.fail = True
    stream = feeds.watch(["one"])
    assert await events(stream, 1) == [("trouble", {"name": "one", "value": "gone"})]
    said.fail = False
    assert await events(stream, 1) == [("feed", {"name": "one", "value": ["", 1]})]
    feeds.close()


async def test_silence_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skerry.console.feeds.HEARTBEAT", 0.02)
    feeds = Feeds()
    feeds.add("one", Said(), every=60)
    stream = feeds.watch(["one"])
    chunks = [await anext(stream) for _ in range(4)]
    assert chunks[0].startswith(b"retry:")
    assert chunks[2:] == [b":\n\n"] * 2
    await stream.aclose()


def test_names_that_are_no_feeds() -> None:
    feeds = Feeds()
    feeds.add("fleet", Said())
    feeds.check(["fleet", "fleet:any"])
    with pytest.raises(BadRequest, match="Did you mean 'fleet'"):
        feeds.check(["flet"])
