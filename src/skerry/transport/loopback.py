"""Calls between apps that live in one process: everything a network does, except the network.

The called app runs in a task of its own, in an empty context: it knows what the request's
headers carry and nothing else, as it would in another process. Bodies are encoded bytes. A
caller that is cancelled takes the call with it; an app that raises or is cancelled looks like a
connection that broke. So whether two apps share a process stays a decision of the fleet.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Future, Task
from contextlib import suppress
from contextvars import Context
from typing import NamedTuple

from msgspec.structs import replace

from skerry.core.errors import ConnectError, ConnectionLost
from skerry.core.instance import Address
from skerry.core.service import Service
from skerry.core.wire import Headers, Request, Response, Stream

from .base import CONNECTION_FIELDS, DEFAULTS, TransportSettings, closed
from .pipe import Pipe, Reader, Remote, pump

SCHEME = "local:"

_OURS = CONNECTION_FIELDS | {b"host"}


class _Provided(NamedTuple):
    service: Service[Request, Response]
    loop: AbstractEventLoop | None


_provided: dict[str, _Provided] = {}


def provide(name: str, service: Service[Request, Response]) -> None:
    """Make an app of this process reachable as ``local:NAME``; replaces an earlier one.

    Called inside an event loop, it ties the service to that loop: calls from any other loop
    run there, since that is where the app's resources live.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    _provided[name] = _Provided(service, loop)


def withdraw(name: str) -> None:
    """Take it back. Calls in flight go on; nothing happens if there was none."""
    _provided.pop(name, None)


def provided(name: str) -> bool:
    """Whether an app of this name is in this process."""
    return name in _provided


class Loopback:
    """The transport to apps in this process; addresses are ``local:NAME``."""

    def __init__(self, settings: TransportSettings = DEFAULTS) -> None:
        self._settings = settings
        self._closed = False
        self._tasks: set[Task[None]] = set()

    def connect(self, address: Address, /) -> Service[Request, Response]:
        name = address.url.removeprefix(SCHEME)

        async def call(request: Request, /) -> Response:
            if self._closed:
                raise closed(address.url)
            found = _provided.get(name)
            if found is None:
                raise ConnectError(f"no app named {name!r} is in this process")
            here = asyncio.get_running_loop()
            if found.loop is None or found.loop is here:
                return await self._call(found.service, name, request, here)
            return await self._call_elsewhere(found.service, name, request, found.loop)

        return call

    async def close(self) -> None:
        self._closed = True
        here = asyncio.get_running_loop()
        mine = [task for task in self._tasks if task.get_loop() is here]
        if mine:
            await asyncio.wait(mine, timeout=self._settings.drain_timeout)
        for task in list(self._tasks):
            loop = task.get_loop()
            if loop is here:
                task.cancel()
            elif not loop.is_closed():
                loop.call_soon_threadsafe(task.cancel)

    async def _call(
        self,
        service: Service[Request, Response],
        name: str,
        request: Request,
        loop: AbstractEventLoop,
    ) -> Response:
        answer: Future[Response] = loop.create_future()
        headers = [pair for pair in request.headers.raw if pair[0] not in _OURS]
        headers.append((b"host", name.encode()))
        body = request.body
        upload: Task[None] | None = None
        if isinstance(body, Stream):
            pipe = Pipe()
            upload = loop.create_task(_upload(body, pipe, answer))
            body = Stream(pipe)
        elif body:
            headers.append((b"content-length", b"%d" % len(body)))
        arrived = Request(request.method, request.path, request.query, Headers(headers), body)
        task = loop.create_task(_serve(service, name, arrived, answer), context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if upload is not None:
            task.add_done_callback(lambda _: upload.cancel())
        try:
            return await answer
        except BaseException:
            task.cancel()
            raise

    async def _call_elsewhere(
        self,
        service: Service[Request, Response],
        name: str,
        request: Request,
        there: AbstractEventLoop,
    ) -> Response:
        if there.is_closed():
            raise ConnectError(f"the event loop of {name!r} has ended")
        if isinstance(request.body, Stream):
            body = Stream(Remote(request.body, asyncio.get_running_loop()))
            request = replace(request, body=body)
        call = self._call(service, name, request, there)
        response = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, there))
        if isinstance(response.body, Stream):
            response.body = Stream(Remote(response.body, there))
        return response


async def _serve(
    service: Service[Request, Response], name: str, request: Request, answer: Future[Response]
) -> None:
    """The called app's side: what a server does with a request that has arrived."""
    try:
        response = await service(request)
    except BaseException as error:
        if not answer.done():
            lost = ConnectionLost(f"{name!r} gave no answer: {type(error).__name__}")
            lost.__cause__ = error
            answer.set_exception(lost)
        if isinstance(error, Exception):
            return  # in the answer now; a server has logged it before it came here
        raise
    body = response.body
    if not isinstance(body, Stream):
        if request.method == "HEAD":
            body = b""
        _answer(answer, Response(response.status, response.headers.copy(), body))
    elif request.method == "HEAD":
        await body.aclose()
        _answer(answer, Response(response.status, response.headers.copy()))
    elif answer.done():
        await body.aclose()
    else:
        task = asyncio.current_task()
        assert task is not None
        pipe = Pipe(on_close=task.cancel)
        stream = Stream(Reader(pipe, asyncio.get_running_loop()))
        _answer(answer, Response(response.status, response.headers.copy(), stream))
        del answer, stream  # the caller's alone, so that it is noticed when they forget it
        with suppress(Exception):  # whoever reads the pipe is told
            await pump(body, pipe)


async def _upload(body: Stream, pipe: Pipe, answer: Future[Response]) -> None:
    """The caller's side of a streamed request: what goes wrong in it is the caller's to see."""
    try:
        await pump(body, pipe)
    except Exception as error:
        if not answer.done():
            answer.set_exception(error)


def _answer(answer: Future[Response], response: Response) -> None:
    if not answer.done():
        answer.set_result(response)
