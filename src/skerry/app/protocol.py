"""HTTP/1.1 as uvicorn speaks it, byte for byte, with less work for each request.

uvicorn takes any protocol class; the class here is one of them. It parses with the same llhttp,
and differs from uvicorn's own (``uvicorn.protocols.http.httptools_impl``) in three ways:

- the head of an answer waits for its body, if that follows at once: one system call, not two;
- an app of ours is called as the service it is, without a scope and messages in between;
- nothing is made for a request that only the rare one needs: no event, no timer.

``docs/design/serving.md`` has the measurements.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextvars import Context
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from skerry.core.service import Service
from skerry.core.wire import Headers, RawHeaders, Request, Response

from .app import App
from .asgi import ASGIApp
from .exchange import Exchange, tokens

log = logging.getLogger("uvicorn.error")
access = logging.getLogger("uvicorn.access")

_INVALID = b"Invalid HTTP request received."


class HttpProtocol(asyncio.Protocol):
    """One connection: requests come in, and are answered one after the other.

    Args:
        config, server_state, app_state: uvicorn's own.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self.config = config
        self.state = server_state
        self.app_state = app_state
        self.loop = _loop or asyncio.get_running_loop()
        self.app: ASGIApp = config.loaded_app
        self.service = _service_of(self.app)
        self.access_log = access.hasHandlers()
        self.writable = asyncio.Event()
        self.writable.set()
        self._parser: Any = _parser(self)
        self._empty_context = getattr(config, "reset_contextvars", False)  # newer than 0.35
        self._reading = True
        self._idle_since = 0.0  # while it is not idle
        self._timer: asyncio.TimerHandle | None = None
        self._url = b""
        self._headers: RawHeaders = []
        self._arriving: Exchange | None = None  # its request is being received,
        self._waiting: deque[Exchange] = deque()  # these wait for their turn,
        self._current: Exchange | None = None  # and this one is being answered

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.server = get_local_addr(self.transport)
        self.client = get_remote_addr(self.transport)
        self.scheme = "https" if is_ssl(self.transport) else "http"
        self.state.connections.add(self)  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        self._idle_since = 0.0
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            log.warning("Invalid HTTP request received.")
            self._refuse()
        except httptools.HttpParserUpgrade:
            if self._is_websocket():
                self._upgrade()
            else:
                log.warning("Unsupported upgrade request.")

    def eof_received(self) -> None:
        """The transport closes itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        self.state.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        for exchange in (self._current, self._arriving):
            if exchange is not None:
                exchange.disconnect()
        self._current = self._arriving = self._parser = None  # which refer to us
        self._waiting.clear()
        self.writable.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    # What the parser tells

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        if parser.should_upgrade() and self._is_websocket():
            self._arriving = None
            return
        version = parser.get_http_version()
        url = httptools.parse_url(self._url)
        exchange = self._arriving = Exchange(
            self,
            parser.get_method().decode("ascii"),
            url.path.decode("ascii"),
            url.query or b"",
            self._headers,
            version,
            version != "1.0" and parser.should_keep_alive(),
        )
        self._headers = []  # of trailers, which are not merged (RFC 9110, 6.5.1)
        limit = self.config.limit_concurrency
        if limit is not None and max(len(self.state.connections), len(self.state.tasks)) >= limit:
            log.warning("Exceeded concurrency limit.")
            exchange.service = _unavailable
        if self._current is None:
            self._start(exchange)
        else:
            self.pause_reading()
            self._waiting.append(exchange)

    def on_body(self, body: bytes) -> None:
        if self._arriving is not None:
            self._arriving.feed(body)

    def on_message_complete(self) -> None:
        if self._arriving is not None:
            self._arriving.feed_end()

    # What an exchange asks for

    def pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self.transport.resume_reading()

    def answered(self, exchange: Exchange) -> None:
        """The answer has been written to its end: on to the next request."""
        self._current = None
        self.state.total_requests += 1
        if not exchange.keep_alive:
            self.transport.close()
        if self.transport.is_closing():
            return
        self.resume_reading()
        if self._waiting:
            self._start(self._waiting.popleft())
            return
        self._idle_since = self.loop.time()
        if self._timer is None:
            self._timer = self.loop.call_later(self.config.timeout_keep_alive, self._look)

    # What the server asks for

    def shutdown(self) -> None:
        """Close as soon as what has come in is answered."""
        last = self._waiting[-1] if self._waiting else self._current
        if last is None:
            self.transport.close()
        else:
            last.keep_alive = False

    def _start(self, exchange: Exchange) -> None:
        self._current = exchange
        context = Context() if self._empty_context else None
        task = exchange.task = self.loop.create_task(exchange.run(), context=context)
        self.state.tasks.add(task)

    def _look(self) -> None:
        """Close a connection that has been idle for too long. One timer is set for many
        requests: most of them come long before it fires."""
        self._timer = None
        if self._idle_since:
            left = self._idle_since + self.config.timeout_keep_alive - self.loop.time()
            if left > 0:
                self._timer = self.loop.call_later(left, self._look)
            else:
                self.transport.close()

    def _is_websocket(self) -> bool:
        fields = dict(self._headers)
        return (
            self.config.ws_protocol_class is not None
            and b"upgrade" in tokens(fields.get(b"connection", b""))
            and fields.get(b"upgrade", b"").lower() == b"websocket"
        )

    def _upgrade(self) -> None:
        """Hand the connection over to whoever speaks WebSocket here."""
        self.state.connections.discard(self)
        lines = [b"%b %b HTTP/1.1" % (self._parser.get_method(), self._url)]
        lines += [b"%b: %b" % field for field in self._headers]
        speaker: Any = self.config.ws_protocol_class
        protocol = speaker(config=self.config, server_state=self.state, app_state=self.app_state)
        protocol.connection_made(self.transport)
        protocol.data_received(b"\r\n".join([*lines, b"", b""]))
        self.transport.set_protocol(protocol)

    def _refuse(self) -> None:
        lines = [b"HTTP/1.1 400 Bad Request"]
        lines += [b"%b: %b" % field for field in self.state.default_headers]
        lines += [
            b"content-type: text/plain; charset=utf-8",
            b"content-length: %d" % len(_INVALID),
            b"connection: close",
            b"",
            _INVALID,
        ]
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()


def _parser(protocol: HttpProtocol) -> httptools.HttpRequestParser:
    parser = httptools.HttpRequestParser(protocol)
    # As uvicorn: what follows a request that is to be the last is not an error.
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


async def _unavailable(request: Request) -> Response:
    text = b"Service Unavailable"
    fields = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(text)),
        (b"connection", b"close"),
    ]
    return Response(503, Headers(fields), text)


def _service_of(app: ASGIApp) -> Service[Request, Response] | None:
    """What an app of ours is without ASGI; None where something is around it or beside it."""
    if isinstance(app, App) and type(app).__call__ is App.__call__ and app._asgi is None:
        return app.service
    return None
