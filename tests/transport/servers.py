"""Servers to test transports against: uvicorn's own protocol, and sockets that misbehave."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from skerry.core.instance import Address
from skerry.core.wire import Headers, Request, Response, Stream

Service = Callable[[Request], Awaitable[Response]]
Handler = Callable[["Exchange"], Awaitable[None]]


@asynccontextmanager
async def uvicorn_server(
    service: Service, *, tls: ssl.SSLContext | None = None, path: str | None = None
) -> AsyncIterator[Address]:
    """``service`` behind uvicorn's HTTP protocol, in this event loop, on TCP or at ``path``."""
    config = uvicorn.Config(_asgi(service), log_config=None, lifespan="off", ws="none")
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()

    def protocol() -> HttpToolsProtocol:
        return HttpToolsProtocol(config=config, server_state=state, app_state={})

    if path is not None:
        server = await loop.create_unix_server(protocol, path)
    else:
        server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)
    try:
        yield Address("local") if path is not None else address_of(server, tls is not None)
    finally:
        server.close()
        for task in list(state.tasks):
            task.cancel()
        for connection in list(state.connections):
            connection.transport.abort()


def address_of(server: asyncio.Server, tls: bool = False) -> Address:
    port = server.sockets[0].getsockname()[1]
    return Address(f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}")


def _asgi(service: Service) -> Any:
    """An ASGI application that is ``service``, and is cancelled when its client leaves."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        async def listen() -> None:
            while True:
                message = await receive()
                messages.put_nowait(message)
                if message["type"] == "http.disconnect":
                    return

        async def body() -> AsyncIterator[bytes]:
            more = True
            while more:
                message = await messages.get()
                if message["type"] == "http.disconnect":
                    raise ConnectionAbortedError("the client has gone")
                yield message["body"]
                more = message.get("more_body", False)

        async def respond() -> None:
            start = {"type": "http.response.start"}
            request = Request(
                scope["method"],
                scope["raw_path"].decode(),
                scope["query_string"].decode(),
                Headers(scope["headers"]),
                Stream(body()),
            )
            response = await service(request)
            headers = response.headers.raw
            await send({**start, "status": response.status, "headers": headers})
            chunks = response.body
            if isinstance(chunks, Stream):
                try:
                    async for chunk in chunks:
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                finally:
                    await chunks.aclose()
                chunks = b""
            await send({"type": "http.response.body", "body": chunks})

        answering = asyncio.ensure_future(respond())
        listening = asyncio.ensure_future(listen())
        try:
            await asyncio.wait([answering, listening], return_when="FIRST_COMPLETED")
            if listening.done() and not answering.done():
                await asyncio.wait([answering], timeout=0.05)  # a body may want to say it is broken
        finally:
            listening.cancel()
            answering.cancel()
            await asyncio.wait([answering, listening])

    return app


class Exchange:
    """One connection to a raw server."""

    def __init__(self, number: int, reader: StreamReader, writer: StreamWriter) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """The head of the next request, and the body that its content-length promises."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                return head + await self.reader.readexactly(int(value))
        return head

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> None:
        """Wait until the client hangs up."""
        try:
            while await self.reader.read(1 << 16):
                pass
        except ConnectionError:
            pass

    def reset(self) -> None:
        """Hang up with a TCP reset."""
        linger = struct.pack("ii", 1, 0)
        fd = socket.socket(fileno=self.writer.get_extra_info("socket").fileno())
        fd.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        fd.detach()
        self.writer.transport.abort()


class RawServer:
    """What a raw server has seen."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.connections = 0
        self.requests = 0


@asynccontextmanager
async def raw_server(
    handler: Callable[[Exchange], Awaitable[None]],
    *,
    tls: ssl.SSLContext | None = None,
    path: str | None = None,
) -> AsyncIterator[RawServer]:
    """A server that calls ``handler`` for each connection, and hangs up when it returns."""
    tasks: set[asyncio.Task[None]] = set()
    seen = RawServer(Address("local"))

    async def connected(reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        seen.connections += 1
        try:
            await handler(Exchange(seen.connections, reader, writer))
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    if path is not None:
        server = await asyncio.start_unix_server(connected, path)
    else:
        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
        seen.address = address_of(server, tls is not None)
    try:
        yield seen
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def answering(*answers: bytes) -> Handler:
    """A handler that gives the answers to one request each, then hangs up."""

    async def handler(exchange: Exchange) -> None:
        for answer in answers:
            await exchange.request()
            await exchange.send(answer)

    return handler


def forever(answer: bytes) -> Handler:
    """A handler that gives the same answer to every request, until the client hangs up."""

    async def handler(exchange: Exchange) -> None:
        while True:
            await exchange.request()
            await exchange.send(answer)

    return handler
