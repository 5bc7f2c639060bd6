"""Answers that come one item at a time: NDJSON, and server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Generic, TypeVar

from skerry.core.errors import BadRequest, Invalid, Problem, UnexpectedResponse
from skerry.core.wire import Stream

T = TypeVar("T")

MAX_ITEM = 16 * 1024 * 1024
"""Bytes in one item. A server that never ends a line must not fill the caller's memory."""


class Items(Generic[T]):
    """The items of one answer, as they come.

    Read it to the end, leave its ``async with`` block, or ``aclose`` it: the connection is
    held until then::

        async with await rates.watch() as changes:
            async for change in changes:
                ...
    """

    __slots__ = ("_items", "_stream")

    def __init__(self, stream: Stream, items: AsyncIterator[T]) -> None:
        self._stream = stream
        self._items = items

    def __aiter__(self) -> Items[T]:
        return self

    async def __anext__(self) -> T:
        try:
            return await anext(self._items)
        except BaseException:
            await self._stream.aclose()
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Items[T]:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def read_items(
    body: bytes | Stream,
    media_type: str,
    decode: Callable[[bytes], T],
    app: str,
    *,
    text: bool = False,
) -> Items[T]:
    """The items of a body.

    Args:
        body: newline-delimited JSON, or server-sent events.
        media_type: says which of the two.
        decode: makes an item of its bytes; raises ``Problem`` where it is none.
        app: who sent it, for errors.
        text: items are strings, which events carry as JSON or as they are.
    """
    stream = body if isinstance(body, Stream) else Stream(_once(body))
    if media_type != "text/event-stream":
        return Items(stream, _decoded(lines(stream, app), decode, app))
    decode = _or_text(decode) if text else decode
    return Items(stream, _decoded(events(stream, app, text=text), decode, app))


def _or_text(decode: Callable[[bytes], T]) -> Callable[[bytes], Any]:
    def read(data: bytes) -> T | str:
        try:
            return decode(data)
        except (BadRequest, Invalid):
            return data.decode("utf-8", "replace")

    return read


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _decoded(
    raw: AsyncIterator[bytes], decode: Callable[[bytes], T], app: str
) -> AsyncIterator[T]:
    number = 0
    async for item in raw:
        try:
            value = decode(item)
        except Problem as error:
            raise UnexpectedResponse(
                f"item {number} of the stream does not fit the contract: {explain(error)}",
                app=app,
                response_status=200,
                body=item,
            ) from error
        number += 1
        yield value


def explain(error: Problem) -> str:
    """What a codec found wrong, in one line."""
    faults: list[Any] = getattr(error, "errors", [])
    if faults:
        return "; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults[:5])
    return str(error)


async def lines(source: AsyncIterator[bytes], app: str = "") -> AsyncIterator[bytes]:
    """The lines of a stream that are not empty. ``\\n`` ends a line, ``\\r\\n`` as well."""
    rest = bytearray()
    async for chunk in source:
        if b"\n" in chunk:
            first, *others = chunk.split(b"\n")
            rest += first
            others.insert(0, bytes(rest))
            rest = bytearray(others.pop())
            for line in others:
                if stripped := line.strip():
                    yield stripped
        else:
            rest += chunk
        _bounded(len(rest), app)
    if stripped := bytes(rest).strip():
        yield stripped


async def events(
    source: AsyncIterator[bytes], app: str = "", *, text: bool = False
) -> AsyncIterator[bytes]:
    """The data of each server-sent event (WHATWG HTML, 9.2.6).

    Events without data are passed over. The names, ids and retry times of events are for browsers.

    Args:
        text: data may be anything. Where it is JSON, it is never empty, and ``[DONE]``, with which
            many streams end, ends this one.
    """
    data: list[bytes] = []
    size = 0
    async for line in _event_lines(source, app):
        if line:
            if line.startswith(b"data:") or line == b"data":
                data.append(line[6:] if line[5:6] == b" " else line[5:])
                size += len(line)
                _bounded(size, app)
        elif data:
            item, data, size = b"\n".join(data), [], 0
            if item == b"[DONE]" and not text:
                return
            if item or text:
                yield item


async def _event_lines(source: AsyncIterator[bytes], app: str) -> AsyncIterator[bytes]:
    """Lines that end with any of CR, LF and CRLF, the empty ones too; a CR at the end of a
    chunk may be half of a CRLF."""
    rest = b""
    first = True
    async for chunk in source:
        rest += chunk
        if first and len(rest) >= 3:
            rest, first = rest.removeprefix(b"\xef\xbb\xbf"), False
        held = b"\r" if rest.endswith(b"\r") else b""
        found = rest.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        rest = found.pop() + held
        for line in found:
            yield line
        _bounded(len(rest), app)
    if rest.endswith(b"\r"):
        yield rest[:-1]
        yield b""


def _bounded(size: int, app: str) -> None:
    if size > MAX_ITEM:
        raise UnexpectedResponse(f"an item of the stream is over {MAX_ITEM} bytes", app=app)
