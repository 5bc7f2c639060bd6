"""An upgraded connection (a WebSocket) through the edge: the request is sent on as it is, and
after that bytes go both ways until one side ends.

uvicorn hands an upgrade to whatever protocol class it was given for WebSockets; this is one
that does not speak the protocol at all, so no WebSocket library is needed on the way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

from skerry.core.answer import answer
from skerry.core.clock import system
from skerry.core.errors import CallError, ConnectError, Problem
from skerry.core.wire import Headers, Request, Response
from skerry.telemetry.metrics import Series
from skerry.telemetry.outcome import ERROR

from .proxy import forwarded

_CONNECT_TIMEOUT = 2.0


class Way(NamedTuple):
    """Where an upgrade goes.

    Attributes:
        url: of the instance, ``http://127.0.0.1:8001``.
        path: what the app is to see.
        prefix: what was cut off it.
        series: where it is counted.
    """

    url: str
    path: str
    prefix: str
    series: Series


Find = Callable[[int, Request], Way]
"""From the local port and the request to the way; where there is none it raises a ``CallError``
or a ``Problem``."""


def tunnels(find: Find) -> Callable[..., asyncio.Protocol]:
    """What uvicorn is to be given as its WebSocket protocol."""

    def make(config: Any, server_state: Any, app_state: Any) -> asyncio.Protocol:
        return _Client(find, server_state.connections)

    return make


class _Half(asyncio.Protocol):
    """One end of a tunnel: what it receives goes to the other end."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _Half | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()


class _Instance(_Half):
    """The end towards the app; counts how the upgrade was answered."""

    def __init__(self, series: Series) -> None:
        super().__init__()
        self._series: Series | None = series
        self._began = system.now()

    def data_received(self, data: bytes) -> None:
        self._count(data[9:10])
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._count(b"")
        super().connection_lost(exc)

    def _count(self, digit: bytes) -> None:
        series, self._series = self._series, None
        if series is not None:
            outcome = int(digit) if digit in (b"1", b"2", b"3", b"4", b"5") else ERROR
            series.record(system.now() - self._began, outcome)


class _Client(_Half):
    """The end towards the client, from the moment uvicorn has let go of the connection."""

    def __init__(self, find: Find, connections: set[Any]) -> None:
        super().__init__()
        self._find = find
        self._connections = connections
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.add(self)  # so that a draining server knows of it

    def shutdown(self) -> None:
        """The server is stopping: an upgraded connection has no end to wait for."""
        if self.transport is not None:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self._task is not None:
            self._task.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._task is None:
            assert self.transport is not None
            self.transport.pause_reading()  # what comes next is for the app
            self._task = asyncio.get_running_loop().create_task(self._open(data))
        else:
            super().data_received(data)

    async def _open(self, head: bytes) -> None:
        transport = self.transport
        assert transport is not None
        request = _parsed(head)
        peer = transport.get_extra_info("peername")
        request.peer = peer[0] if peer else ""
        try:
            way = self._find(transport.get_extra_info("sockname")[1], request)
            instance = await _dial(way)
        except (CallError, Problem) as error:
            transport.write(_written(answer(error)))
            transport.close()
            return
        instance.other, self.other = self, instance
        assert instance.transport is not None
        instance.transport.write(_head(request, way))
        transport.resume_reading()


async def _dial(way: Way) -> _Instance:
    address = urlsplit(way.url)
    loop = asyncio.get_running_loop()
    secure = address.scheme == "https"
    port = address.port or (443 if secure else 80)
    instance = _Instance(way.series)
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT):
            await loop.create_connection(
                lambda: instance, address.hostname or "", port, ssl=secure or None
            )
    except (OSError, TimeoutError) as error:
        instance._count(b"")
        raise ConnectError(f"no connection to {address.netloc}: {error}") from None
    return instance


def _parsed(head: bytes) -> Request:
    """The request that uvicorn has parsed, checked and written down again for us."""
    line, *fields = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = line.split(" ", 2)
    path, _, query = target.partition("?")
    return Request(
        method,
        path,
        query,
        Headers.of((name, value) for name, _, value in (f.partition(": ") for f in fields)),
    )


def _head(request: Request, way: Way) -> bytes:
    target = f"{way.path}?{request.query}" if request.query else way.path
    lines = [f"{request.method} {target} HTTP/1.1".encode("latin-1")]
    lines.append(b"host: " + urlsplit(way.url).netloc.encode())
    lines += [name + b": " + value for name, value in forwarded(request, way.prefix)]
    upgrade = request.headers.find(b"upgrade") or b"websocket"
    lines += [b"connection: Upgrade", b"upgrade: " + upgrade, b"", b""]
    return b"\r\n".join(lines)


def _written(response: Response) -> bytes:
    assert isinstance(response.body, bytes)
    lines = [b"HTTP/1.1 %d " % response.status]
    lines += [name + b": " + value for name, value in response.headers.raw]
    lines += [b"connection: close", b"", response.body]
    return b"\r\n".join(lines)
