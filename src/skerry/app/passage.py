"""One request on its way through an app that answers by itself, seen as a service.

A service returns its response; an ASGI app sends it. So that the same stack can stand before
both, the app runs in a task of its own: the head of its answer is the response, and waits until
the stack has let it pass. What follows goes straight to the server, as it comes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from skerry.core.answer import answer
from skerry.core.errors import Internal
from skerry.core.stack import Stack
from skerry.core.wire import Headers, Request, Response, Stream

from .asgi import ASGIApp, Message, Receive, Scope, Send, send_response

log = logging.getLogger("skerry.app")


class Passage:
    """One request, the app that is to answer it, and the server that takes the answer."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        loop = asyncio.get_running_loop()
        self._head: asyncio.Future[Message | None] = loop.create_future()
        self._last: asyncio.Future[None] = loop.create_future()  # message of the body
        self._decided = asyncio.Event()  # whether the app's own answer is what is sent
        self._refused = False
        self._task: asyncio.Task[None] | None = None
        self._body: Stream | None = None

    async def through(self, stack: Stack[Request, Response], request: Request) -> None:
        """Answer ``request`` with the app behind ``stack``, or with what that says instead."""
        try:
            response = await stack.build(self._begin)(request)
            if self._task is not None and response.body is self._body:
                await self._go_on(response, self._body)
                await self._task  # which may do more after its answer
                return
            self._end()
            await send_response(response, request.method, self._receive, self._send, False)
        finally:
            self._end()

    async def _begin(self, request: Request, /) -> Response:
        self._task = asyncio.ensure_future(self._app(self._scope, self._receive, self._answer))
        self._task.add_done_callback(self._done)
        head = await self._head
        if head is None:
            log.error("%s %s: what is mounted there did not answer", request.method, request.path)
            return answer(Internal())
        self._body = Stream(self._rest())
        fields = [(bytes(name).lower(), bytes(value)) for name, value in head.get("headers", ())]
        return Response(head["status"], Headers(fields), self._body)

    async def _go_on(self, response: Response, body: Stream) -> None:
        head = self._head.result() or {}
        await self._send({**head, "status": response.status, "headers": response.headers.raw})
        self._decided.set()
        try:
            async for _ in body:
                pass
        finally:
            await body.aclose()

    def _end(self) -> None:
        """Whatever the app still does for this request, it does for nobody."""
        self._refused = True
        self._decided.set()
        if self._task is not None:
            self._task.cancel()

    async def _answer(self, message: Message) -> None:
        begins = message["type"] == "http.response.start" and not self._head.done()
        if begins:
            self._head.set_result(message)
        if self._head.done() and not self._decided.is_set():
            await self._decided.wait()
        if self._refused:
            raise OSError("the request has been answered")  # as where the caller has gone
        if begins:
            return
        await self._send(message)
        ends = message["type"] == "http.response.body" and not message.get("more_body", False)
        if ends and not self._last.done():
            self._last.set_result(None)

    def _done(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        waiting = self._last if self._head.done() else self._head
        if self._refused or waiting.done():
            return
        if error is None:
            waiting.set_result(None)
        else:
            waiting.set_exception(error)

    async def _rest(self) -> AsyncIterator[bytes]:
        """No bytes, since they go by; it ends with the last of them, and fails as the app does."""
        await self._last
        return
        yield b""
