"""Our own driver passes the suites, on asyncio's event loop and on uvloop's, and more."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator

import pytest

from skerry.core.errors import ConnectError, ConnectionLost
from skerry.core.instance import Address
from skerry.core.wire import Headers, Request, Response, Stream
from skerry.transport import pool
from skerry.transport.base import TransportSettings
from skerry.transport.http import HttpTransport
from skerry.transport.native import NativeTransport

from .conformance import (
    GET,
    OK,
    PROMPTLY,
    Exchanges,
    echo,
    post,
)
from .conformance_tls import Tls
from .conformance_wire import Wire
from .forking import fork
from .servers import Exchange, forever, raw_server


class TestNative(Exchanges, Wire, Tls):
    loops = ("asyncio", "uvloop")

    def transport(self, settings: TransportSettings) -> HttpTransport:
        return HttpTransport(settings)

    @pytest.mark.parametrize("extra", [b"x", OK])
    @pytest.mark.parametrize("late", [False, True])
    async def test_a_connection_with_more_on_it_than_the_answer_is_not_used_again(
        self, extra: bytes, late: bool
    ) -> None:
        async def handler(exchange: Exchange) -> None:
            await exchange.request()
            await exchange.send(OK if late else OK + extra)
            if late:
                await asyncio.sleep(0.01)
                await exchange.send(extra)
            await exchange.gone()

        async with self.wire(handler) as (call, server):
            for number in range(1, 3):
                assert (await call(GET)).body == b"ok"
                await asyncio.sleep(0.03 if late else 0)
                assert server.connections == number

    async def test_a_body_after_head_spoils_the_connection(self) -> None:
        async with self.wire(forever(OK)) as (call, server):
            for number in range(1, 3):
                assert (await call(Request("HEAD", "/"))).body == b""
                assert server.connections == number

    async def test_a_head_without_end(self) -> None:
        async def handler(exchange: Exchange) -> None:
            await exchange.request()
            await exchange.send(b"HTTP/1.1 200 OK\r\n")
            while True:
                await exchange.send(b"x-more: " + b"x" * 1000 + b"\r\n")

        error = await self.lost(handler)
        assert "65536 bytes" in str(error)

    async def test_an_upgrade_that_nobody_asked_for(self) -> None:
        async def handler(exchange: Exchange) -> None:
            await exchange.request()
            await exchange.send(
                b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"
            )
            await exchange.gone()

        await self.lost(handler)

    @pytest.mark.parametrize(
        "request_",
        [
            Request("GET", "/a b"),
            Request("GET", "/a\r\nhost: evil"),
            Request("GET", "/ä"),
            Request("GET /x", "/"),
            Request("GET", "/", headers=Headers([(b"a", b"1\r\nb: 2")])),
            Request("GET", "/", headers=Headers([(b"a\nb", b"1")])),
            Request("GET", "/", headers=Headers([(b"a", b"\0")])),
        ],
    )
    async def test_what_cannot_be_written_as_http_is_not_sent(self, request_: Request) -> None:
        async with self.wire(forever(OK)) as (call, server):
            with pytest.raises(ValueError):
                await call(request_)
            assert server.connections == 0

    @pytest.mark.parametrize("length", ["1", "9"])
    async def test_a_stream_of_another_length_than_it_promised(self, length: str) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"abc"

        async with self.wire(forever(OK)) as (call, _), asyncio.timeout(PROMPTLY):
            headers = Headers.of({"content-length": length})
            with pytest.raises(ValueError, match="content-length"):
                await call(Request("POST", "/", headers=headers, body=Stream(chunks())))

    async def test_the_host_header_is_the_address_unless_the_caller_says_otherwise(self) -> None:
        async with self.serve(echo) as address:
            transport = self.transport(TransportSettings())
            call = transport.connect(address)
            assert (await call(GET)).headers.get("x-host") == address.url.removeprefix("http://")
            other = Request("GET", "/", headers=Headers.of({"host": "schools.example"}))
            assert (await call(other)).headers.get_all("x-host") == ["schools.example"]
            await transport.close()

    async def test_hanging_up_is_seen_before_the_event_loop_tells(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pool, "FRESH", -1.0)
        loop = asyncio.get_running_loop()
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            listening.setblocking(False)
            transport = self.transport(TransportSettings())
            call = transport.connect(Address(f"http://127.0.0.1:{listening.getsockname()[1]}"))
            for _ in range(2):
                task = asyncio.ensure_future(call(post()))
                accepted, _ = await loop.sock_accept(listening)
                assert await loop.sock_recv(accepted, 10_000)
                await loop.sock_sendall(accepted, OK)
                assert (await task).body == b"ok"
                accepted.close()  # and, without giving the event loop a turn, the next call
            await transport.close()

    async def test_waiting_for_a_connection(self) -> None:
        called: asyncio.Queue[str] = asyncio.Queue()
        go = asyncio.Semaphore(0)

        async def service(request: Request) -> Response:
            called.put_nowait(request.path)
            await go.acquire()
            return Response(200, Headers.of({"content-length": "0"}))

        async with self.calling(service) as call, asyncio.timeout(PROMPTLY):
            tasks = []
            for number in range(5):
                tasks.append(asyncio.ensure_future(call(Request("GET", f"/{number}"))))
                await asyncio.sleep(0)
            assert await called.get() == "/0"
            tasks[1].cancel()  # waits, and gives up
            go.release()
            assert await called.get() == "/2"
            tasks[2].cancel()  # has the connection, and takes it along
            assert await called.get() == "/3"
            for _ in tasks:
                go.release()
            await asyncio.wait(tasks)
            assert [task.cancelled() for task in tasks] == [False, True, True, False, False]

    async def test_closing_refuses_those_who_wait(self) -> None:
        async with self.wire(lambda exchange: exchange.gone()) as (_, server):
            transport = self.transport(TransportSettings(pool_size=1, drain_timeout=0.02))
            call = transport.connect(server.address)
            tasks = [asyncio.ensure_future(call(GET)) for _ in range(2)]
            await asyncio.sleep(0.02)
            await transport.close()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(result) for result in results] == [ConnectionLost, ConnectError]

    async def test_a_certificate_refused_late_is_still_a_failure_to_connect(self) -> None:
        context = self.demanding(ssl.TLSVersion.TLSv1_3)
        done = threading.Event()

        def serve(listening: socket.socket) -> None:
            accepted, _ = listening.accept()  # blocking, since asyncio's server sends no alert
            with context.wrap_socket(
                accepted, server_side=True, do_handshake_on_connect=False
            ) as tls:
                with pytest.raises(ssl.SSLError):
                    tls.do_handshake()
                done.wait(PROMPTLY)

        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=serve, args=(listening,))
            thread.start()
            transport = self.transport(self.trusting())
            call = transport.connect(Address(f"https://localhost:{listening.getsockname()[1]}"))
            with pytest.raises(ConnectError, match="refused our certificate"):
                await call(post())
            done.set()
            await asyncio.to_thread(thread.join)
            await transport.close()

    async def test_callers_of_one_address_share_its_connections(self) -> None:
        async with raw_server(forever(OK)) as server:
            transport = NativeTransport()
            one, two = transport.connect(server.address), transport.connect(server.address)
            await one(GET)
            await two(GET)
            assert server.connections == 1
            await transport.close()


@pytest.mark.parametrize("driver", ["native", "aiohttp"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_child_makes_its_own_connections_and_leaves_the_parents_alone(
    loop: str, driver: str
) -> None:
    assert fork(loop, driver) == "0 2\n"
