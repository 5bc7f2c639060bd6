"""HTTP/1.1 as servers really speak it: what is answered, what is lost, what was never sent."""

from __future__ import annotations

import asyncio
import gzip
import socket

import pytest

from skerry.core.errors import ConnectError, ConnectionLost, Retry
from skerry.core.instance import Address
from skerry.core.wire import Request, Stream, read_all
from skerry.transport.base import TransportSettings

from .conformance import GET, OK, PROMPTLY, Http, endless, post, soon
from .servers import (
    Exchange,
    Handler,
    answering,
    forever,
)


class Wire(Http):
    async def test_connections_are_used_again(self) -> None:
        async with self.wire(forever(OK)) as (call, server):
            for _ in range(5):
                assert (await call(post())).body == b"ok"
            assert server.connections == 1

    async def test_no_more_exchanges_at_once_than_the_pool_holds(self) -> None:
        under_way: set[int] = set()
        peak = 0

        async def handler(exchange: Exchange) -> None:
            nonlocal peak
            while True:
                await exchange.request()
                under_way.add(exchange.number)
                peak = max(peak, len(under_way))
                await asyncio.sleep(0.002)
                under_way.discard(exchange.number)
                await exchange.send(OK)

        async with self.wire(handler, TransportSettings(pool_size=3)) as (call, _):
            await asyncio.gather(*(call(GET) for _ in range(30)))
        assert peak == 3

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nConnection: close\r\n\r\nok",
            b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\n\r\nok",
            b"HTTP/1.0 200 OK\r\n\r\nok",
        ],
        ids=["close", "1.0", "until-eof", "1.0-until-eof"],
    )
    async def test_a_server_that_closes_after_each_answer(self, answer: bytes) -> None:
        async with self.wire(answering(answer)) as (call, server):
            for number in range(1, 4):
                assert await read_all((await call(post())).body) == b"ok"
                assert server.connections == number

    async def test_chunked_answers_whatever_their_pieces(self) -> None:
        answer = (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            b"1;ext=1\r\na\r\n4\r\nbcde\r\n0\r\nx-trailer: yes\r\n\r\n"
        )

        async def byte_by_byte(exchange: Exchange) -> None:
            for _ in range(2):
                await exchange.request()
                for at in range(len(answer)):
                    await exchange.send(answer[at : at + 1])
                    await asyncio.sleep(0)

        async with self.wire(byte_by_byte) as (call, server):
            for _ in range(2):
                response = await call(GET)
                assert await read_all(response.body) == b"abcde"
                assert "x-trailer" not in response.headers
            assert server.connections == 1

    async def test_interim_answers_are_not_the_answer(self) -> None:
        interim = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
        async with self.wire(forever(interim + OK)) as (call, _):
            for _ in range(2):
                response = await call(post())
                assert (response.status, response.body) == (200, b"ok")
                assert "link" not in response.headers

    async def test_redirects_are_answers(self) -> None:
        moved = b"HTTP/1.1 307 Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"
        async with self.wire(forever(moved)) as (call, _):
            response = await call(GET)
            assert (response.status, response.headers.get("location")) == (307, "/elsewhere")

    async def test_cookies_are_not_kept(self) -> None:
        heads: list[bytes] = []

        async def handler(exchange: Exchange) -> None:
            while True:
                heads.append(await exchange.request())
                await exchange.send(OK.replace(b"\r\n", b"\r\nset-cookie: a=1\r\n", 1))

        async with self.wire(handler) as (call, _):
            for _ in range(2):
                assert (await call(GET)).headers.get("set-cookie") == "a=1"
        assert len(heads) == 2
        assert not any(b"cookie" in head.lower() for head in heads)

    async def test_bodies_stay_encoded_as_their_headers_say(self) -> None:
        packed = gzip.compress(b"hello")
        head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n"
        async with self.wire(forever(head % len(packed) + packed)) as (call, _):
            response = await call(GET)
            assert response.body == packed
            assert response.headers.get("content-encoding") == "gzip"
            assert response.headers.get("content-length") == str(len(packed))

    async def test_proxies_in_the_environment_are_not_used(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        async with self.wire(forever(OK)) as (call, _):
            assert (await call(GET)).body == b"ok"

    async def test_an_idle_connection_that_the_server_closed_is_not_used(self) -> None:
        async with self.wire(answering(OK)) as (call, server):
            for number in range(1, 4):
                assert (await call(post())).body == b"ok"
                assert server.connections == number
                await asyncio.sleep(0.05)

    async def test_an_idle_connection_is_closed_after_a_while(self) -> None:
        gone = asyncio.Event()

        async def handler(exchange: Exchange) -> None:
            await exchange.request()
            await exchange.send(OK)
            await exchange.gone()
            gone.set()

        settings = TransportSettings(idle_timeout=0.1)
        async with self.wire(handler, settings) as (call, _):
            await call(GET)
            await asyncio.sleep(0.15)
            await call(GET)  # some libraries look at idle connections only when they need one
            await soon(gone)

    # The two errors. ConnectError says that nothing was sent; it must never be wrong.

    async def test_refused(self) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            await self.connect_error(Address(f"http://127.0.0.1:{bound.getsockname()[1]}"))

    async def test_unresolvable(self) -> None:
        await self.connect_error(Address("http://no-such-host.invalid:80"))

    async def test_no_answer_to_connecting(self) -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            port = full.getsockname()[1]
            fillers = [socket.socket() for _ in range(3)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            await asyncio.sleep(0.05)
            await self.connect_error(Address(f"http://127.0.0.1:{port}"))
            for filler in fillers:
                filler.close()

    async def connect_error(self, address: Address) -> None:
        transport = self.transport(TransportSettings(connect_timeout=0.3))
        async with asyncio.timeout(PROMPTLY):
            with pytest.raises(ConnectError) as caught:
                await transport.connect(address)(post())
        assert caught.value.retry is Retry.SAFE
        assert str(caught.value)
        await transport.close()

    async def lost(self, handler: Handler) -> ConnectionLost:
        """One POST is lost, exactly one connection was made, and the next one works."""
        first = True

        async def once(exchange: Exchange) -> None:
            nonlocal first
            if first:
                first = False
                await handler(exchange)
            else:
                await forever(OK)(exchange)

        async with self.wire(once) as (call, server), asyncio.timeout(2 * PROMPTLY):
            with pytest.raises(ConnectionLost) as caught:
                await read_all((await call(post())).body)
            assert caught.value.retry is Retry.REPEATABLE
            assert str(caught.value)
            assert server.connections == 1
            assert (await call(post())).body == b"ok"
            return caught.value

    async def test_eof_before_the_answer(self) -> None:
        await self.lost(answering(b""))

    async def test_reset_before_the_answer(self) -> None:
        async def handler(exchange: Exchange) -> None:
            await exchange.request()
            exchange.reset()

        await self.lost(handler)

    async def test_eof_before_the_request_is_read(self) -> None:
        async def handler(exchange: Exchange) -> None:
            await exchange.reader.read(1)

        await self.lost(handler)

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 2",
            b"HTTP/1.1 200 OK\r\ncontent-le",
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
        ],
    )
    @pytest.mark.parametrize("how", ["eof", "reset"])
    async def test_an_answer_that_breaks_off(self, answer: bytes, how: str) -> None:
        async def handler(exchange: Exchange) -> None:
            await exchange.request()
            await exchange.send(answer)
            await asyncio.sleep(0.02)
            if how == "reset":
                exchange.reset()

        await self.lost(handler)

    @pytest.mark.parametrize(
        "answer",
        [
            b"hello\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        ],
    )
    async def test_an_answer_that_is_not_http(self, answer: bytes) -> None:
        async def handler(exchange: Exchange) -> None:
            await exchange.request()
            await exchange.send(answer)
            await exchange.gone()

        await self.lost(handler)

    async def test_a_kept_connection_that_breaks_under_a_request(self) -> None:
        """The race that nobody can win: the server hangs up while the request travels.

        Whether it was read is unknown, so a POST is lost and not sent again.
        """

        async def handler(exchange: Exchange) -> None:
            await exchange.request()
            await exchange.send(OK)
            await exchange.request()

        async with self.wire(handler) as (call, server):
            assert (await call(post())).body == b"ok"
            with pytest.raises(ConnectionLost):
                await call(post())
            assert server.connections == 1
            assert (await call(post())).body == b"ok"

    async def test_an_answer_before_the_request_is_complete(self) -> None:
        early = b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig"
        ended = asyncio.Event()

        async def handler(exchange: Exchange) -> None:
            await exchange.reader.readuntil(b"\r\n\r\n")
            await exchange.send(early)
            await exchange.gone()

        async with self.wire(handler) as (call, _), asyncio.timeout(2 * PROMPTLY):
            response = await call(Request("POST", "/", body=Stream(endless(ended))))
            assert (response.status, response.body) == (413, b"big")
            await soon(ended)
