"""One request on a connection and its answer: as ASGI messages, or straight from a service.

What goes over the wire is what uvicorn sends; ``tests/app/test_protocol.py`` compares the two.
"""

from __future__ import annotations

import logging
from asyncio import AbstractEventLoop, CancelledError, Event, Task, Transport
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol, cast
from urllib.parse import unquote

from uvicorn.config import Config
from uvicorn.protocols.utils import get_client_addr, get_path_with_query_string
from uvicorn.server import ServerState

from skerry.core.answer import problem_response
from skerry.core.service import Service
from skerry.core.wire import Headers, RawHeaders, Request, Response

from .asgi import ASGIApp, Message, Scope, is_read, send_response
from .body import RequestBody

log = logging.getLogger("uvicorn.error")
access = logging.getLogger("uvicorn.access")

HIGH_WATER = 1 << 16
"""Bytes of a request body that nobody has asked for, from which on no more are received."""

SPLIT = 1 << 16
"""Bytes of an answer from which on it is not worth copying it behind its head."""


class Connection(Protocol):
    """Where an exchange happens; ``protocol.HttpProtocol``."""

    transport: Transport
    loop: AbstractEventLoop
    config: Config
    state: ServerState
    app_state: dict[str, Any]
    app: ASGIApp
    service: Service[Request, Response] | None
    server: tuple[str, int | None] | None
    client: tuple[str, int] | None
    scheme: str
    access_log: bool
    writable: Event

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def answered(self, exchange: Exchange, /) -> None: ...


class Exchange:
    """A request whose head has come, and what becomes of it.

    Args:
        connection: which it came over; tells the rest by ``feed``, ``feed_end``, ``disconnect``.
        path: percent-encoded.
        keep_alive: whether the connection is to stay open.

    Attributes:
        app, service: who answers; the service, where there is one.
        task: in which ``run`` runs.
    """

    __slots__ = (
        "_chunked",
        "_chunks",
        "_complete",
        "_connection",
        "_event",
        "_gone",
        "_headers",
        "_held",
        "_left",
        "_method",
        "_more",
        "_news",
        "_path",
        "_query",
        "_size",
        "_started",
        "_urged",
        "_version",
        "app",
        "keep_alive",
        "service",
        "task",
    )

    def __init__(
        self,
        connection: Connection,
        method: str,
        path: str,
        query: bytes,
        headers: RawHeaders,
        version: str,
        keep_alive: bool,
    ) -> None:
        self.app = connection.app
        self.service = connection.service
        self.task: Task[None] | None = None
        self.keep_alive = keep_alive
        self._connection = connection
        self._method = method
        self._path = path
        self._query = query
        self._headers = headers
        self._version = version
        self._gone = False  # the client is
        # The body of the request
        self._chunks: list[bytes] = []  # come, and not yet received
        self._size = 0  # of these
        self._more = True  # is to come
        self._urged = False  # the client, to send it
        self._news = False  # for whoever calls `receive`,
        self._event: Event | None = None  # and their alarm clock, once one is needed
        # The answer
        self._started = False
        self._complete = False
        self._held = b""  # the head, until some of the body follows
        self._chunked = False
        self._left = 0  # of its content-length

    async def run(self) -> None:
        """Get the answer, and send it."""
        connection = self._connection
        try:
            if self.service is None:
                await self.app(self._scope(), self.receive, self.send)
            else:
                # As `asgi.serve_http` does it; in a row, because this is the way of every request.
                request = self._request()
                response = await self.service(request)
                body = response.body
                if body.__class__ is bytes and connection.writable.is_set():
                    if not self._gone:
                        self._begin(response.status, response.headers.raw)
                        self._go_on(body, False)
                    return
                read = is_read(request)
                await send_response(response, self._method, self.receive, self.send, read)
            if not self._complete and not self._gone:
                missing = "completing" if self._started else "starting"
                raise RuntimeError(f"ASGI callable returned without {missing} response.")
        except BaseException as error:
            if isinstance(error, CancelledError) and self.task and self.task.cancelling():
                self._fail(_CUT_OFF)  # by the server, which stops
            else:
                log.error("Exception in ASGI application\n", exc_info=error)  # noqa: TRY400
                self._fail(_FAILED)
        finally:
            connection.state.tasks.discard(self.task)
            self.task = None  # which refers to us

    # The request

    def feed(self, chunk: bytes) -> None:
        """Some of the body has come."""
        if self._complete:
            return
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > HIGH_WATER:
            self._connection.pause_reading()
        self._tell()

    def feed_end(self) -> None:
        """The body has come to its end."""
        self._more = False
        self._tell()

    def disconnect(self) -> None:
        """The client has gone away."""
        self._gone = not self._complete
        self._tell()

    def _tell(self) -> None:
        self._news = True
        if self._event is not None:
            self._event.set()

    async def receive(self) -> Message:
        """The app's ``receive``."""
        if not self._gone and not self._complete:
            self._connection.resume_reading()
            if not self._news:
                await self._wait()
            self._news = False
        if self._gone or self._complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._take(), "more_body": self._more}

    async def _wait(self) -> None:
        if self._more and not self._urged and not self._started:
            self._urged = True
            # RFC 9110, 10.1.1: not where some of the body has come without it.
            if any(n == b"expect" and v.lower() == b"100-continue" for n, v in self._headers):
                self._connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._event is None:
            self._event = Event()
        await self._event.wait()
        self._event.clear()

    def _take(self) -> bytes:
        body = b"".join(self._chunks)
        self._chunks = []
        self._size = 0
        return body

    def _request(self) -> Request:
        """The request as a service wants it; its body as bytes if all of it has come."""
        client = self._connection.client
        return Request(
            self._method,
            self._path,
            self._query.decode("latin-1"),
            Headers(self._headers),
            RequestBody(self.receive) if self._more or self._gone else self._take(),
            "",
            {},
            client[0] if client else "",
        )

    def _scope(self) -> Scope:
        """The request as an ASGI app wants it."""
        connection = self._connection
        config = connection.config
        path, root = self._path, config.root_path
        return {
            "type": "http",
            "asgi": {"version": config.asgi_version, "spec_version": "2.3"},
            "http_version": self._version,
            "server": connection.server,
            "client": connection.client,
            "scheme": connection.scheme,
            "method": self._method,
            "root_path": root,
            "path": root + (unquote(path) if "%" in path else path),
            "raw_path": (root + path).encode("ascii"),
            "query_string": self._query,
            "headers": self._headers,
            "state": connection.app_state.copy(),
        }

    # The answer

    async def send(self, message: Message) -> None:
        """The app's ``send``."""
        writable = self._connection.writable
        if not writable.is_set() and not self._gone:
            await writable.wait()
        if self._gone:
            return
        kind = message["type"]
        if self._complete:
            raise RuntimeError(f"{kind!r} was sent after the response was complete.")
        if not self._started:
            if kind != "http.response.start":
                raise RuntimeError(f"{kind!r} was sent before 'http.response.start'.")
            self._begin(message["status"], message.get("headers", ()))
            self._connection.loop.call_soon(self._flush)
        elif kind == "http.response.body":
            self._go_on(message.get("body", b""), message.get("more_body", False))
        else:
            raise RuntimeError(f"{kind!r} was sent in the middle of a response.")

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Write the head, and keep it back: the body is about to follow."""
        self._started = True
        connection = self._connection
        if connection.access_log:
            self._log(status)
        lines = [_STATUS_LINES[status]]
        framed = closing = False
        for name, value in [*connection.state.default_headers, *headers]:
            name = _field_name(name)
            if name in _FRAMING:
                if name == b"content-length":
                    if not framed:
                        self._left = int(value)
                        framed = True
                elif name == b"connection":
                    closing = closing or b"close" in tokens(value)
                elif value.lower() == b"chunked":
                    self._left = 0
                    framed = self._chunked = True
            lines.append(name + b": " + value)
        if closing:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close")
        if not framed and self._method != "HEAD" and status not in (204, 304):
            self._chunked = True
            lines.append(b"transfer-encoding: chunked")
        breaks = b"\r\n" * (len(lines) + 1)
        lines += (b"", b"")
        head = b"\r\n".join(lines)
        if head.translate(None, _TEXT) != breaks:
            raise RuntimeError("Invalid HTTP header value.")
        self._held = head

    def _go_on(self, body: bytes, more: bool) -> None:
        """Write some of the body, behind what was kept back.

        Raises:
            RuntimeError: it is not as long as its head says.
        """
        if self._method == "HEAD":
            body = b""
            self._left = 0
        elif self._chunked:
            if body:
                body = b"%x\r\n%b\r\n" % (len(body), body)
            if not more:
                body += b"0\r\n\r\n"
        elif len(body) > self._left:
            raise RuntimeError("Response content longer than Content-Length")
        else:
            self._left -= len(body)
        if len(body) > SPLIT:
            self._flush()
        held, self._held = self._held, b""
        if held or body:
            self._connection.transport.write(held + body)
        if not more:
            if self._left:
                raise RuntimeError("Response content shorter than Content-Length")
            self._complete = True
            self._tell()
            self._connection.answered(self)

    def _flush(self) -> None:
        """Keep nothing back any longer."""
        held, self._held = self._held, b""
        if held:
            self._connection.transport.write(held)

    def _fail(self, response: Response) -> None:
        """There will be no answer, or no more of it."""
        if self._gone or self._complete:
            return
        if self._started:
            self._flush()
            self._connection.transport.close()
        else:
            self.keep_alive = False
            self._begin(response.status, response.headers.raw)
            self._go_on(cast(bytes, response.body), False)

    def _log(self, status: int) -> None:
        scope: Any = self._scope()
        access.info(
            '%s - "%s %s HTTP/%s" %d',
            get_client_addr(scope),
            self._method,
            get_path_with_query_string(scope),
            self._version,
            status,
        )


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}".encode()


_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_STATUS_LINES = {status: _status_line(status) for status in range(100, 600)}
_FAILED = Response(
    500,
    Headers([(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"21")]),
    b"Internal Server Error",
)
# Without a word on retries: whether it may be sent again depends on what it was.
_CUT_OFF = problem_response(
    503,
    {
        "type": "about:blank",
        "title": HTTPStatus.SERVICE_UNAVAILABLE.phrase,
        "status": 503,
        "detail": "The app was stopped before it had answered.",
    },
)

# RFC 9110, 5.5: what a value may consist of. A head without all that is its line breaks.
_TEXT = bytes([9, *range(32, 127), *range(128, 256)])
_DELIMITERS = frozenset(b'()<>@,;:[]={} \\"\x7f') | frozenset(range(32))


@lru_cache(1024)
def _field_name(name: bytes) -> bytes:
    if not _DELIMITERS.isdisjoint(name):
        raise RuntimeError("Invalid HTTP header name.")
    return name.lower()


def tokens(value: bytes) -> list[bytes]:
    """The words of a field that is a list of words, in lower case."""
    return [token.strip() for token in value.lower().split(b",")]
