"""HTTP/1.1 from the client's side: one connection, one exchange at a time (RFC 9112).

Parsing is llhttp's, through httptools, which uvicorn brings along anyway. What is here is the
part that decides between *answered* and *lost*, and that no library we know leaves to us:
``docs/design/transport.md`` tells why.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from asyncio import AbstractEventLoop, Future, Task
from typing import Protocol, cast

from httptools import HttpParserError, HttpResponseParser

from skerry.core.errors import CallError, ConnectError, ConnectionLost
from skerry.core.wire import Body, Headers, RawHeaders, Request, Response, Stream

from .base import comes_whole
from .pipe import Pipe, Reader

HEAD_LIMIT = 1 << 16
"""Bytes of status line and headers that a server may send."""

SPLIT = 1 << 16
"""Bytes of a request body from which on it is not worth copying it behind its head."""

# What a server says when it does not accept our certificate. In TLS 1.3 it can say so only after
# we believe the handshake to be over; it has then read nothing of the request (RFC 8446, 4.4.2).
_REFUSALS = (
    "ACCESS_DENIED",
    "BAD_CERTIFICATE",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_REQUIRED",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_UNKNOWN",
    "DECRYPT_ERROR",
    "HANDSHAKE_FAILURE",
    "UNKNOWN_CA",
    "UNSUPPORTED_CERTIFICATE",
)


class Owner(Protocol):
    """Who a connection belongs to."""

    loop: AbstractEventLoop
    authority: str

    def release(self, connection: Connection, /) -> None:
        """It may carry another exchange."""

    def gone(self, connection: Connection, /) -> None:
        """It is closed, or about to be."""


class Connection(asyncio.Protocol):
    """A connection to a server: in an exchange, or idle in the pool it came from.

    Attributes:
        idle_since: the loop's time at which the last exchange ended.
    """

    __slots__ = (
        "_answer",
        "_busy",
        "_chunks",
        "_closed",
        "_complete",
        "_fields",
        "_fresh",
        "_head_only",
        "_head_size",
        "_headed",
        "_headers",
        "_loop",
        "_owner",
        "_parser",
        "_pipe",
        "_reusable",
        "_status",
        "_transport",
        "_until_eof",
        "_upload",
        "_writable",
        "idle_since",
    )

    _transport: asyncio.Transport  # from `connection_made` on

    # Of the exchange at hand; `_begin` sets them.
    _head_only: bool  # the request was HEAD
    _headers: RawHeaders  # as they come,
    _fields: Headers  # and when the head is complete
    _status: int
    _chunks: list[bytes]  # the body, where it is collected,
    _pipe: Pipe | None  # or where it goes
    _head_size: int
    _headed: bool  # the head is complete
    _until_eof: bool  # the body ends with the connection
    _complete: bool
    _reusable: bool

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._loop = owner.loop
        self._parser = HttpResponseParser(self)
        self._answer: Future[Response] | None = None  # until it is given
        self._upload: Task[None] | None = None
        self._writable: Future[None] | None = None
        self._busy = False
        self._closed = False
        self._fresh = True
        self.idle_since = 0.0
        self._begin(head_only=False)

    # What the pool and the service do with it

    @property
    def closed(self) -> bool:
        return self._closed

    def start(self, request: Request, head: bytes, length: int | None) -> Future[Response]:
        """Send a request; the answer, or what became of it, is in the future.

        Args:
            request: its body; a stream is read to its end, and closed.
            head: from ``write_head``, as is ``length``.
        """
        transport = self._transport
        self._begin(head_only=request.method == "HEAD")
        self._busy = True
        answer = self._answer = self._loop.create_future()
        body = request.body
        if not isinstance(body, bytes):
            transport.write(head)
            self._upload = self._loop.create_task(self._send(body, length))
        elif len(body) < SPLIT:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)
        return answer

    def cancel(self, answer: Future[Response]) -> None:
        """Nobody waits for ``answer`` any more: end its exchange.

        If it has just been given, the exchange is over, or its body, which now nobody has,
        ends it.
        """
        if self._answer is answer:
            self.abort()

    def abort(self, error: BaseException | None = None) -> None:
        """Close now, whatever is going on. ``error`` is for whoever still waits."""
        self._end(error or ConnectionLost(f"the connection to {self._owner.authority} was cut"))
        self._transport.abort()

    def usable(self, *, look: bool) -> bool:
        """Whether another exchange can begin.

        Args:
            look: ask the socket too whether the server has hung up; the event loop may not
                have had a chance to say so.
        """
        transport = self._transport
        if self._closed or transport.is_closing():
            return False
        return not look or not _readable(transport.get_extra_info("socket").fileno())

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self._busy:  # out of the blue
            self.abort()
            return
        self._fresh = False
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            if not self._complete:
                cause = error.__context__ or error
                self.abort(self._lost(f"answered what is not HTTP: {cause}"))
                return
            self._reusable = False
        if self._complete:
            self._finish()
        elif not self._headed:
            self._head_size += len(data)
            if self._head_size > HEAD_LIMIT:
                self.abort(self._lost(f"sent a head of more than {HEAD_LIMIT} bytes"))

    def eof_received(self) -> None:
        # Not left to the transport's own close, which would first try to send what is unsent.
        self.connection_lost(None)
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._closed:
            return
        if exc is None and self._until_eof and self._headed:
            self._reusable = False
            self._deliver()
            self._finish()
        elif self._fresh and isinstance(exc, ssl.SSLError) and _refused(exc):
            self._end(ConnectError(f"{self._owner.authority} refused our certificate: {exc}"))
        else:
            where = "in the middle of the answer" if self._headed else "before it answered"
            self._end(self._lost(f"hung up {where}" + (f": {exc}" if exc else ""), exc))

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None:
            if not self._writable.done():
                self._writable.set_result(None)
            self._writable = None

    # What the parser tells

    def on_message_begin(self) -> None:
        if self._complete:  # more than one answer to one request
            self._reusable = False
        else:
            self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._headed:  # trailers are not ours to merge (RFC 9110, 6.5.1)
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._complete:
            return
        status = self._parser.get_status_code()
        if status < 200:
            if status == 101:
                raise ValueError("101 Switching Protocols, which nobody asked for")
            return
        self._headed = True
        self._status = status
        fields = self._fields = Headers(self._headers)
        first = fields.first()
        known = first.get(b"content-length")
        length = None if known is None else int(known)
        empty = status in (204, 304)
        self._until_eof = length is None and not (
            empty or self._head_only or b"transfer-encoding" in first
        )
        if self._head_only:
            # llhttp cannot be told what it answers to, and would wait for the body.
            self._reusable = self._parser.get_http_version() == "1.1" and not any(
                name == b"connection" and b"close" in value.lower() for name, value in self._headers
            )
            self._deliver()
        elif not empty and not comes_whole(length, first.get(b"content-type")):
            self._pipe = Pipe(on_room=self._resume, on_close=self.abort)
            body = Stream(Reader(self._pipe, self._loop))
            self._respond(body)

    def on_body(self, body: bytes) -> None:
        if self._complete:
            self._reusable = False
        elif self._pipe is None:
            self._chunks.append(body)
        elif not self._pipe.feed(body):
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._headed and not self._complete:
            self._reusable = self._parser.should_keep_alive()
            self._deliver()

    # How an exchange goes

    def _begin(self, *, head_only: bool) -> None:
        self._head_only = head_only
        self._headers = []
        self._status = 0
        self._chunks = []
        self._pipe = None
        self._head_size = 0
        self._headed = False
        self._until_eof = False
        self._complete = False
        self._reusable = False

    def _respond(self, body: Body) -> None:
        answer, self._answer = self._answer, None  # which would keep a forgotten body alive
        if answer is not None and not answer.done():
            answer.set_result(Response(self._status, self._fields, body))

    def _deliver(self) -> None:
        """The answer is complete."""
        self._complete = True
        if self._pipe is not None:
            self._pipe.end()
        else:
            chunks = self._chunks
            self._respond(chunks[0] if len(chunks) == 1 else b"".join(chunks))

    def _finish(self) -> None:
        """The exchange is over: keep the connection if nothing is left on it, or close it."""
        transport = self._transport
        self._busy = False
        if (
            not self._reusable
            or self._upload is not None
            or transport.is_closing()
            or transport.get_write_buffer_size()
        ):
            self.abort()
            return
        if self._head_only:
            self._parser = HttpResponseParser(self)
        if self._pipe is not None:
            transport.resume_reading()
        self._owner.release(self)

    def _end(self, error: BaseException) -> None:
        if self._closed:
            return
        self._closed = True
        answer, self._answer = self._answer, None
        if self._upload is not None:
            self._upload.cancel()
        if answer is not None and not answer.done():
            answer.set_exception(error)
        elif self._pipe is not None:
            self._pipe.end(error)
        self._owner.gone(self)

    def _lost(self, what: str, cause: BaseException | None = None) -> CallError:
        error = ConnectionLost(f"{self._owner.authority} {what}")
        error.__cause__ = cause
        return error

    def _resume(self) -> None:
        if not self._closed:
            self._transport.resume_reading()

    async def _send(self, body: Stream, length: int | None) -> None:
        """Send a streamed body beside the waiting for its answer, which may come first."""
        transport = self._transport
        sent = 0
        try:
            async for chunk in body:
                if not chunk:
                    continue
                sent += len(chunk)
                if length is None:
                    transport.writelines((b"%x\r\n" % len(chunk), chunk, b"\r\n"))
                elif sent > length:
                    break
                else:
                    transport.write(chunk)
                if self._writable is not None:
                    await self._writable
            if length is None:
                transport.write(b"0\r\n\r\n")
            elif sent != length:
                raise ValueError(f"content-length is {length}, the body is not")
            self._upload = None
        except Exception as error:  # the caller's own stream failed: the caller's own error
            self._upload = None
            self.abort(error)
        finally:
            await body.aclose()


def _refused(error: ssl.SSLError) -> bool:
    return any(word in (error.reason or "") for word in _REFUSALS)


def _readable(fd: int) -> bool:
    """Whether there is something to read, which on an idle connection is never good news."""
    if not hasattr(select, "poll"):  # Windows; the event loop will tell, a little later
        return False
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
