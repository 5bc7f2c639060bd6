"""What a function returned, as a response: typed, bytes, nothing, or a stream of items."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from skerry.contract.codec import Codec
from skerry.contract.operation import Answer
from skerry.core.wire import Headers, RawHeaders, Request, Response, Stream

from .body import NDJSON
from .events import EVENTS, Feed, encode_event, wants_events
from .responses import Reply

Finish: TypeAlias = Callable[[Request, Any], Response | Awaitable[Response]]

_PATIENCE = 0.25
"""Seconds that the head of an event stream waits for its first event. Whatever is wrong with a
request is found by then, and gets an answer that says so; a reader of events is told soon that
the stream is open, which may well have nothing to tell for hours."""


def finisher(described: Answer, function: Callable[..., Any], returns: Any) -> Finish:
    """What makes ``described`` of what ``function`` returns.

    A function may return a ready ``Response`` wherever it likes.

    Raises:
        TypeError: (when called) what was returned can be no such answer.
    """
    if described.stream:
        # An async generator has not begun when it is called: whether it will give an answer
        # shows at its first item. A function that *returns* an iterator has said yes.
        waits = inspect.isasyncgenfunction(function)
        return partial(_stream, described, _writer(described), waits)
    if described.type is None:
        return partial(_empty, described.status, returns is Response)
    media_type = (described.media_type or "application/json").encode()
    if described.type is bytes:
        return partial(_whole, described.status, media_type, _only_bytes)
    return partial(_whole, described.status, media_type, Codec.of(described.type).encode)


def _whole(
    status: int, media_type: bytes, encode: Callable[[Any], bytes], request: Request, result: Any
) -> Response:
    extra: RawHeaders = []
    if isinstance(result, Response):
        return result
    if isinstance(result, Reply):
        result, extra = result.value, Headers.of(result.headers).raw
    body = encode(result)
    fields = [(b"content-type", media_type), (b"content-length", b"%d" % len(body)), *extra]
    return Response(status, Headers(fields), body)


def _only_bytes(value: Any) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"the function promised bytes and returned {type(value).__name__}")
    return bytes(value)


def _empty(status: int, ready: bool, request: Request, result: Any) -> Response:
    if isinstance(result, Response):
        return result
    if ready:
        raise TypeError(f"the function promised a Response and returned {type(result).__name__}")
    extra = Headers.of(result.headers).raw if isinstance(result, Reply) else []
    return Response(status, Headers(extra), b"")


_Write: TypeAlias = Callable[[Any], bytes]


def _writer(described: Answer) -> Callable[[Request], tuple[str, _Write]]:
    """The media type of a stream, and what writes its items, by what the caller asks for."""
    if described.type is bytes:
        media_type = described.media_type or "application/octet-stream"
        return lambda request: (media_type, _only_bytes)
    encode = Codec.of(described.type).encode
    events = EVENTS, partial(encode_event, encode)
    lines = described.media_type or NDJSON, lambda item: encode(item) + b"\n"
    if described.media_type == EVENTS:
        return lambda request: events
    if described.media_type not in (None, NDJSON):
        return lambda request: lines
    return lambda request: events if wants_events(request) else lines


async def _stream(
    described: Answer,
    writer: Callable[[Request], tuple[str, _Write]],
    waits: bool,
    request: Request,
    result: Any,
) -> Response:
    if isinstance(result, Response):
        return result
    media_type, write = writer(request)
    fields = [(b"content-type", media_type.encode())]
    if described.type is not bytes:
        fields.append((b"cache-control", b"no-store"))
    items = aiter(result)
    if media_type == EVENTS:
        feed = Feed(items, write)
        await feed.first(_PATIENCE if waits else 0.0)
        return Response(described.status, Headers(fields), Stream(feed))
    written = _Written(items, write)
    if waits:
        await written.first()
    return Response(described.status, Headers(fields), Stream(written))


class _Written:
    """Items as chunks; closing it closes where they come from, at whatever point."""

    __slots__ = ("_ahead", "_items", "_write")

    def __init__(self, items: AsyncIterator[Any], write: _Write) -> None:
        self._items = items
        self._write = write
        self._ahead: list[bytes] = []

    async def first(self) -> None:
        """Take the first item ahead of its reader: what is wrong is raised now, not later."""
        try:
            self._ahead.append(self._write(await anext(self._items)))
        except StopAsyncIteration:
            return
        except BaseException:
            await self.aclose()
            raise

    def __aiter__(self) -> _Written:
        return self

    async def __anext__(self) -> bytes:
        if self._ahead:
            return self._ahead.pop()
        try:
            return self._write(await anext(self._items))
        except StopAsyncIteration:
            raise
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        close = getattr(self._items, "aclose", None)
        if close is not None:
            await close()
