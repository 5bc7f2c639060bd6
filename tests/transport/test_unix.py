"""HTTP over a Unix socket, with a server that comes and goes."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from skerry.core.errors import ConnectError, ConnectionLost
from skerry.core.instance import Address
from skerry.core.wire import Request, Stream
from skerry.transport.base import TransportSettings
from skerry.transport.unix import UnixTransport

from .conformance import OK, Exchanges, post
from .conformance_wire import Wire
from .servers import Exchange, Handler, RawServer, Service, forever, raw_server, uvicorn_server


class TestUnix(Exchanges, Wire):
    loops = ("asyncio", "uvloop")

    @pytest.fixture(autouse=True)
    def _path(self) -> Iterator[None]:
        # Not tmp_path: the path of a Unix socket has at most 107 bytes.
        with tempfile.TemporaryDirectory() as folder:
            self.path = str(Path(folder) / "s")
            yield

    def transport(self, settings: TransportSettings) -> UnixTransport:
        return UnixTransport(self.path, settings)

    def serve(self, service: Service) -> AbstractAsyncContextManager[Address]:
        return uvicorn_server(service, path=self.path)

    def raw(self, handler: Handler) -> AbstractAsyncContextManager[RawServer]:
        return raw_server(handler, path=self.path)

    async def test_refused(self) -> None:
        async with self.raw(forever(OK)):
            pass  # the file stays, nobody listens
        await self.connect_error(Address("unix"))

    async def test_unresolvable(self) -> None:
        await self.connect_error(Address("unix"))  # no such file

    async def test_no_answer_to_connecting(self) -> None:
        with socket.socket(socket.AF_UNIX) as full, socket.socket(socket.AF_UNIX) as filler:
            full.bind(self.path)
            full.listen(0)
            filler.connect(self.path)
            await self.connect_error(Address("unix"))

    async def test_a_long_stream_whose_server_dies_and_comes_back(self) -> None:
        async def handler(exchange: Exchange) -> None:
            await exchange.request()
            await exchange.send(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\n"
                b"transfer-encoding: chunked\r\n\r\n3\r\n{}\n\r\n"
            )
            await exchange.gone()

        transport = UnixTransport(self.path)
        call = transport.connect()
        async with self.raw(handler):
            response = await call(Request("GET", "/registry"))
            assert isinstance(response.body, Stream)
            assert await anext(response.body) == b"{}\n"
        with pytest.raises(ConnectionLost):
            await anext(response.body)
        with pytest.raises(ConnectError):
            await call(post())
        os.unlink(self.path)
        with pytest.raises(ConnectError):
            await call(post())
        async with self.raw(forever(OK)):
            assert (await call(post())).body == b"ok"
        await transport.close()
