"""Bodies on their way in and out: limits, media types, and streams of items."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from skerry.contract.codec import Codec
from skerry.core.errors import BadRequest, BodyTooLarge, Invalid, Problem, UnsupportedMediaType
from skerry.core.wire import Body, Headers, Request, Stream

NDJSON = "application/x-ndjson"

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientClosedRequest(
    Problem,
    status=499,
    type="urn:problem-type:client-closed-request",
    title="Client Closed Request",
):
    """The caller went away before its request was whole."""


class RequestBody(Stream):
    """The body of an ASGI request, read when the endpoint asks for it and not before.

    Attributes:
        finished: whether the last message has been received.
    """

    __slots__ = ("_receive", "finished")

    def __init__(self, receive: Receive) -> None:
        # Not the base's: nearly every body is read whole, by ``read_up_to``, and never iterated.
        self._receive = receive
        self._callbacks = []
        self._close = None
        self.read_started = False
        self.finished = False

    def watch(self, seen: Callable[[bytes], object]) -> None:
        receive = self._receive

        async def received() -> MutableMapping[str, Any]:
            message = await receive()
            seen(message.get("body", b""))
            return message

        self._receive = received

    def __aiter__(self) -> Stream:
        self._iterator = self._chunks()
        return self

    async def _chunks(self) -> AsyncIterator[bytes]:
        while not self.finished:
            yield await self._next()

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.finished = True
            raise ClientClosedRequest
        if not message.get("more_body", False):
            self.finished = True
        body: bytes = message.get("body", b"")
        return body

    async def read_up_to(self, limit: int, headers: Headers) -> bytes:
        """The whole body, in one piece where it came in one."""
        message = await self._receive()
        chunk: bytes = message.get("body", b"")
        if message["type"] == "http.request" and not message.get("more_body", False):
            self.finished = True
            if len(chunk) > limit:
                raise _too_large(limit)
            return chunk
        if message["type"] == "http.disconnect":
            self.finished = True
            raise ClientClosedRequest
        if not says_small(headers, limit):
            raise _too_large(limit)
        return await _join(self, limit, chunk)


def read_body(request: Request, limit: int) -> Awaitable[bytes]:
    """The request's body, whole.

    Raises:
        BodyTooLarge: it is longer than ``limit`` bytes, or says it will be.
    """
    body = request.body
    if body.__class__ is RequestBody:
        return body.read_up_to(limit, request.headers)
    return _read_other(body, limit)


async def _read_other(body: Body, limit: int) -> bytes:
    if isinstance(body, Stream):
        return await _join(body, limit, b"")
    if len(body) > limit:
        raise _too_large(limit)
    return body


def says_small(headers: Headers, limit: int) -> bool:
    """Whether the body is not known to be over the limit before it is read."""
    declared = headers.find(b"content-length")
    return declared is None or (declared.isdigit() and int(declared) <= limit)


async def _join(body: Stream, limit: int, first: bytes) -> bytes:
    chunks, size = [first], len(first)
    async for chunk in body:
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            await body.aclose()
            raise _too_large(limit)
    return b"".join(chunks)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(limit=limit, detail=f"This endpoint reads up to {limit} bytes.")


def check_media_type(headers: Headers, expected: str) -> None:
    """Refuse a body that is not in the format the endpoint reads.

    A missing content type is refused as well: a browser can be made to send one without asking
    its user, and such a request must not reach a JSON endpoint.

    Raises:
        UnsupportedMediaType: with the supported types.
    """
    found = headers.find(b"content-type")
    if found is not None:
        if found == b"application/json" and expected == "application/json":
            return
        media_type = found.partition(b";")[0].strip().lower().decode("latin-1")
        if media_type == expected:
            return
        if expected == "application/json" and media_type.endswith("+json"):
            return
        if expected == NDJSON and media_type in ("application/ndjson", "application/jsonl"):
            return
        if expected == "application/octet-stream":
            return
    elif expected == "application/octet-stream":
        return
    raise UnsupportedMediaType(supported=(expected,), detail=f"Send the body as {expected}.")


def chunks_of(body: Body) -> AsyncIterator[bytes]:
    """A body as an iterator of chunks, whichever kind it is."""

    async def once(content: bytes) -> AsyncIterator[bytes]:
        if content:
            yield content

    return once(body) if isinstance(body, bytes) else body


async def read_items(body: Body, codec: Codec[Any], limit: int) -> AsyncIterator[Any]:
    """The items of an NDJSON body; ``limit`` holds for each line, the body may be endless.

    Raises:
        Problem: (at the item) what is wrong with it, and on which line.
    """
    rest = b""
    number = 0
    async for chunk in chunks_of(body):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            number += 1
            if len(line) > limit:
                raise _too_large(limit)
            if line.strip():
                yield _item(codec, line, number)
        if len(rest) > limit:
            raise _too_large(limit)
    if rest.strip():
        yield _item(codec, rest, number + 1)


def _item(codec: Codec[Any], line: bytes, number: int) -> Any:
    try:
        return codec.decode(line)
    except (BadRequest, Invalid) as error:
        error.detail = f"Line {number}: {error.detail}"
        raise
