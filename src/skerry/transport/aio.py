"""The driver on aiohttp, for teams that already run on it (``skerry[aiohttp]``).

What it does differently from our own: an idempotent request that finds its kept-alive
connection dead is sent once more by aiohttp itself.
"""

from __future__ import annotations

import asyncio
import os
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator
from contextlib import suppress
from ssl import SSLContext

import aiohttp
from yarl import URL

from skerry.core.errors import CallError, ConnectError, ConnectionLost
from skerry.core.instance import Address
from skerry.core.service import Service
from skerry.core.wire import Body, Headers, Request, Response, Stream

from .base import (
    CONNECTION_FIELDS,
    DEFAULTS,
    WHOLE,
    Endpoint,
    TransportSettings,
    closed,
    comes_whole,
    content_length,
    tls_context,
)
from .drain import Drain

# What aiohttp would add on its own.
_UNASKED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class AiohttpTransport:
    """HTTP/1.1 over TCP and TLS, by aiohttp. One session for each event loop."""

    def __init__(self, settings: TransportSettings = DEFAULTS) -> None:
        self._settings = settings
        self._drain = Drain()
        self._tls: SSLContext | None = None
        self._pid = os.getpid()
        self._sessions: dict[AbstractEventLoop, aiohttp.ClientSession] = {}

    def connect(self, address: Address, /) -> Service[Request, Response]:
        endpoint = Endpoint.of(address)
        if endpoint.secure and self._tls is None:
            self._tls = tls_context(self._settings)
        url = f"{'https' if endpoint.secure else 'http'}://{endpoint.authority}"

        async def call(request: Request, /) -> Response:
            if self._drain.closed:
                raise closed(endpoint.authority)
            self._drain.enter()
            try:
                response = await self._send(request, url, endpoint.authority)
            except BaseException:
                self._drain.leave()
                raise
            return self._drain.leave_with(response)

        return call

    async def close(self) -> None:
        await self._drain.close(self._settings.drain_timeout)
        here = asyncio.get_running_loop()
        for loop, session in list(self._sessions.items()):
            if loop is here:
                await session.close()
            elif loop.is_running():
                end = asyncio.run_coroutine_threadsafe(session.close(), loop)
                await asyncio.wrap_future(end)

    async def _send(self, request: Request, url: str, authority: str) -> Response:
        body = _Upload(request.body)
        try:
            answer = await self._session().request(
                request.method,
                URL(url + request.target, encoded=True),
                headers=body.headers(request.headers),
                data=body if body.sends else None,
                allow_redirects=False,
            )
        except aiohttp.ClientError as error:
            if body.error is not None:
                raise body.error from None
            raise _translate(error, authority) from error
        return await _response(answer, authority, request.method)

    def _session(self) -> aiohttp.ClientSession:
        if self._pid != os.getpid():  # a fork: what the parent uses is not ours to touch
            _orphans.append(self._sessions)
            self._sessions, self._pid = {}, os.getpid()
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            self._sessions = {k: v for k, v in self._sessions.items() if not k.is_closed()}
            session = self._sessions[loop] = self._make()
        return session

    def _make(self) -> aiohttp.ClientSession:
        settings = self._settings
        return aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(
                keepalive_timeout=settings.idle_timeout,
                limit=0,
                limit_per_host=settings.pool_size,
                ssl=self._tls if self._tls is not None else True,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_UNASKED,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout),
            trust_env=False,
        )


class _Upload:
    """A request's body as aiohttp reads it; keeps what went wrong in the caller's own stream."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.sends = isinstance(body, Stream) or bool(body)
        self.error: BaseException | None = None

    def headers(self, headers: Headers) -> list[tuple[str, str]]:
        body, ours = self._body, CONNECTION_FIELDS
        if isinstance(body, bytes):
            ours = ours | {b"content-length"}
        fields = [
            (name.decode("ascii"), value.decode("utf-8"))  # as which aiohttp will encode it
            for name, value in headers.raw
            if name not in ours
        ]
        if isinstance(body, bytes) and body:
            fields.append(("content-length", str(len(body))))
        return fields

    async def __aiter__(self) -> AsyncIterator[bytes]:
        body = self._body
        if isinstance(body, bytes):
            for start in range(0, len(body), WHOLE):
                yield body[start : start + WHOLE]
            return
        try:
            async for chunk in body:
                yield chunk
        except Exception as error:
            self.error = error
            raise
        finally:
            await body.aclose()


async def _response(answer: aiohttp.ClientResponse, authority: str, method: str) -> Response:
    headers = Headers([(name.lower(), value) for name, value in answer.raw_headers])
    response = Response(answer.status, headers)
    if method == "HEAD" or answer.status in (204, 304):
        answer.release()
    elif comes_whole(content_length(headers), headers.find(b"content-type")):
        try:
            response.body = await answer.read()
        except aiohttp.ClientError as error:
            raise _translate(error, authority) from error
    else:
        response.body = Stream(_Chunks(answer, authority))
    return response


class _Chunks:
    """The body of a response, as it comes."""

    def __init__(self, answer: aiohttp.ClientResponse, authority: str) -> None:
        self._answer = answer
        self._authority = authority
        self._loop = asyncio.get_running_loop()

    def __aiter__(self) -> _Chunks:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._answer.content.readany()
        except aiohttp.ClientError as error:
            raise _translate(error, self._authority) from error
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        self._answer.close()

    def __del__(self) -> None:
        if not self._answer.closed:
            with suppress(RuntimeError):  # the loop is closed, and its sockets with it
                self._loop.call_soon_threadsafe(self._answer.close)


_orphans: list[dict[AbstractEventLoop, aiohttp.ClientSession]] = []


def _translate(error: aiohttp.ClientError, authority: str) -> CallError:
    said = str(error) or type(error).__name__
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        return ConnectError(f"no connection to {authority}: {said}")
    return ConnectionLost(f"{authority}: {said}")
