"""An ASGI app as a service: called in this process, without a server or a socket.

The other direction of ``asgi``. The loopback uses it for what is mounted, the test client for
everything.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

from skerry.core.errors import ConnectionLost
from skerry.core.service import Service
from skerry.core.wire import Headers, Request, Response, Stream

from .asgi import ASGIApp, Message, Scope

_IN_FLIGHT = 16  # messages between the app and whoever reads; then the app waits


def as_service(app: ASGIApp) -> Service[Request, Response]:
    """``app`` as a function from request to response.

    An answer that comes in one message comes as bytes, any other as a ``Stream``; closing that
    is what a disconnect is to the app. The app runs in a task of its own.

    Raises:
        ConnectionLost: (when called) the app ended without an answer.
    """

    async def call(request: Request) -> Response:
        exchange = _Exchange(request)
        task = asyncio.create_task(exchange.run(app, _scope(request)))
        try:
            start = await exchange.next()
            first = await exchange.next()
        except BaseException:
            exchange.disconnect()
            task.cancel()
            raise
        headers = Headers([(bytes(n).lower(), bytes(v)) for n, v in start.get("headers", [])])
        if not first.get("more_body", False):
            await asyncio.wait([task])
            return Response(start["status"], headers, bytes(first.get("body", b"")))
        return Response(start["status"], headers, Stream(_Rest(first, exchange, task)))

    return call


class _Exchange:
    """One request and its answer, as the app and its caller see them."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue(_IN_FLIGHT)
        self._gone = asyncio.Event()
        self._body_sent = False
        self._error: BaseException | None = None

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self.receive, self._messages.put)
        except Exception as error:
            self._error = error
        finally:
            await self._messages.put(None)

    async def receive(self) -> Message:
        if self._body_sent:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        body = self._request.body
        if isinstance(body, bytes):
            self._body_sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        try:
            return {"type": "http.request", "body": await anext(body), "more_body": True}
        except StopAsyncIteration:
            self._body_sent = True
            return {"type": "http.request", "body": b"", "more_body": False}

    async def next(self) -> Message:
        message = await self._messages.get()
        if message is None:
            if self._error is not None:
                raise self._error
            raise ConnectionLost("the app ended without an answer")
        return message

    def disconnect(self) -> None:
        self._gone.set()


class _Rest:
    """The body of an answer that comes in pieces. Not a generator: closing one that nobody has
    begun to read would not tell the app."""

    def __init__(self, first: Message, exchange: _Exchange, task: asyncio.Task[None]) -> None:
        self._message: Message | None = first
        self._more = True
        self._exchange = exchange
        self._task = task

    def __aiter__(self) -> _Rest:
        return self

    async def __anext__(self) -> bytes:
        try:
            while self._more:
                message, self._message = self._message or await self._exchange.next(), None
                self._more = message.get("more_body", False)
                if chunk := bytes(message.get("body", b"")):
                    return chunk
        except BaseException:
            await self.aclose()
            raise
        await self.aclose()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Tell the app that its reader has left, and end it where it does not listen."""
        self._exchange.disconnect()
        if not self._task.done():
            await asyncio.wait([self._task], timeout=0.1)
            self._task.cancel()


def _scope(request: Request) -> Scope:
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(request.path),
        "raw_path": request.path.encode("latin-1"),
        "query_string": request.query.encode("latin-1"),
        "root_path": "",
        "headers": request.headers.raw,
        "client": (request.peer or "127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
        "state": {},
    }
    return scope
