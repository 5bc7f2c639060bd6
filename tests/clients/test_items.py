from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.clients import items
from skerry.clients.items import Items, events, lines, read_items
from skerry.core.errors import UnexpectedResponse
from skerry.core.wire import Stream


async def chunks(data: bytes, cuts: list[int]) -> AsyncIterator[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    for start, end in pairwise(places):
        yield data[start:end]


@given(st.lists(st.integers(0, 200)))
async def test_lines_come_out_whole_however_they_came_in(cuts: list[int]) -> None:
    data = b'{"a":1}\r\n\n  \n{"b":"\xc3\xa9"}\n[3]'
    found = [line async for line in lines(chunks(data, cuts))]
    assert found == [b'{"a":1}', b'{"b":"\xc3\xa9"}', b"[3]"]


@given(st.lists(st.integers(0, 200)), st.sampled_from([b"\n", b"\r\n", b"\r"]))
async def test_events_come_out_whole_however_they_came_in(cuts: list[int], end: bytes) -> None:
    text = (
        b"\xef\xbb\xbf: comment\nevent: x\nid: 3\ndata: one\ndata:two\n\n"
        b"data\n\nretry: 10\n\ndata: 3\n\ndata: [DONE]\n\ndata: 4\n\n"
    )
    data = text.replace(b"\n", end)
    assert [event async for event in events(chunks(data, cuts))] == [b"one\ntwo", b"3"]
    assert [event async for event in events(chunks(data, cuts), text=True)] == [
        *(b"one\ntwo", b"", b"3"),
        *(b"[DONE]", b"4"),
    ]


async def test_an_item_without_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "MAX_ITEM", 10)
    with pytest.raises(UnexpectedResponse, match="over 10 bytes"):
        [line async for line in lines(chunks(b"x" * 30, [10, 20]))]
    with pytest.raises(UnexpectedResponse, match="over 10 bytes"):
        [event async for event in events(chunks(b"data: " + b"x" * 30, [10, 20]))]


async def test_leaving_early_gives_the_connection_back() -> None:
    ended: list[BaseException | None] = []
    stream = Stream(chunks(b"1\n2\n3\n", [2, 4]))
    stream.on_end(ended.append)
    found: Items[bytes] = read_items(stream, "application/x-ndjson", bytes, "app")
    async with found:
        assert await anext(found) == b"1"
        assert ended == []
    assert ended == [None]
