"""What a transport does, whatever it is made of. Every driver inherits these suites.

``Exchanges``, here, holds for all of them, within a process too; ``Wire``, in
``conformance_wire``, for those that speak HTTP; ``Tls``, in ``conformance_tls``, for those that
speak HTTPS. Where a driver's library cannot, the driver's test file says so, test by test, with
a strict xfail: should the library learn it, that line fails and goes.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from skerry.core.errors import CallError, ConnectError, ConnectionLost, Retry
from skerry.core.instance import Address
from skerry.core.wire import Headers, Request, Response, Stream, read_all
from skerry.transport.base import Transport, TransportSettings

from .servers import (
    Handler,
    RawServer,
    Service,
    raw_server,
    uvicorn_server,
)

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
PROMPTLY = 2.0
NO_DRAIN = TransportSettings(pool_size=1, drain_timeout=0.0)


class Suite:
    def transport(self, settings: TransportSettings) -> Transport:
        raise NotImplementedError

    def serve(self, service: Service) -> AbstractAsyncContextManager[Address]:
        raise NotImplementedError

    @asynccontextmanager
    async def calling(
        self, service: Service, settings: TransportSettings = NO_DRAIN
    ) -> AsyncIterator[Service]:
        async with self.serve(service) as address:
            transport = self.transport(settings)
            try:
                yield transport.connect(address)
            finally:
                await transport.close()


async def echo(request: Request) -> Response:
    headers = Headers.of({"x-method": request.method, "x-target": request.target})
    headers.raw += [(b"x-" + name, value) for name, value in request.headers.raw]
    body = await read_all(request.body)
    headers.add("content-length", str(len(body)))
    return Response(200, headers, body)


def streaming(chunks: AsyncIterator[bytes], kind: str = "application/x-ndjson") -> Response:
    return Response(200, Headers.of({"content-type": kind}), Stream(chunks))


async def endless(ended: asyncio.Event) -> AsyncIterator[bytes]:
    try:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0)
    finally:
        ended.set()


class Hang:
    """A service that never answers, and knows when its caller has gone."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.gone = asyncio.Event()
        self.calls = 0

    async def __call__(self, request: Request) -> Response:
        self.calls += 1
        await read_all(request.body)
        if request.path != "/hang":
            return Response(200, Headers.of({"content-length": "2"}), b"ok")
        self.called.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.gone.set()
        raise AssertionError


async def soon(event: asyncio.Event) -> None:
    async with asyncio.timeout(PROMPTLY):
        await event.wait()


class Exchanges(Suite):
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    async def test_every_method_carries_target_and_body(self, method: str) -> None:
        async with self.calling(echo) as call:
            body = b"" if method in ("GET", "OPTIONS") else b'{"a":1}'
            response = await call(Request(method, "/a/b", "x=1&x=%20&y", body=body))
            assert response.status == 200
            assert response.headers.get("x-method") == method
            assert response.headers.get("x-target") == "/a/b?x=1&x=%20&y"
            assert response.body == body

    async def test_a_path_arrives_as_it_was_encoded(self) -> None:
        async with self.calling(echo) as call:
            path = "/a%2Fb/%E2%82%AC;v=1//x~"
            assert (await call(Request("GET", path))).headers.get("x-target") == path

    async def test_dots_in_a_path_are_left_alone(self) -> None:
        async with self.calling(echo) as call:
            response = await call(Request("GET", "/a/../b/%2e%2e/c"))
            assert response.headers.get("x-target") == "/a/../b/%2e%2e/c"

    async def test_head_has_headers_and_no_body(self) -> None:
        async def service(request: Request) -> Response:
            return Response(200, Headers.of({"content-length": "5"}), b"hello")

        async with self.calling(service) as call:
            for _ in range(2):
                response = await call(Request("HEAD", "/"))
                assert (response.status, response.body) == (200, b"")
                assert response.headers.get("content-length") == "5"
            assert (await call(Request("GET", "/"))).body == b"hello"

    @pytest.mark.parametrize("status", [204, 304])
    async def test_answers_without_a_body(self, status: int) -> None:
        async def service(request: Request) -> Response:
            return Response(status, Headers.of({"etag": '"1"'}))

        async with self.calling(service) as call:
            for _ in range(2):
                response = await call(Request("GET", "/"))
                assert (response.status, response.body) == (status, b"")
                assert response.headers.get("etag") == '"1"'

    @pytest.mark.parametrize("status", [400, 404, 418, 500, 503])
    async def test_any_status_is_an_answer(self, status: int) -> None:
        async def service(request: Request) -> Response:
            return Response(status, Headers.of({"content-length": "1"}), b"!")

        async with self.calling(service) as call:
            response = await call(Request("POST", "/", body=b"x"))
            assert (response.status, response.body) == (status, b"!")

    async def test_repeated_headers_stay_apart_both_ways(self) -> None:
        seen: list[str] = []

        async def service(request: Request) -> Response:
            seen.extend(request.headers.get_all("x-tag"))
            return Response(200, Headers.of([("set-cookie", "a=1"), ("set-cookie", "b=2")]), b"")

        async with self.calling(service) as call:
            response = await call(
                Request("GET", "/", headers=Headers.of([("x-tag", "1"), ("X-Tag", "2, 3")]))
            )
            assert seen == ["1", "2, 3"]
            assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]

    async def test_header_values_are_bytes_both_ways(self) -> None:
        async with self.calling(echo) as call:
            response = await call(Request("GET", "/", headers=Headers([(b"name", b"Ren\xe9")])))
            assert response.headers.find(b"x-name") == b"Ren\xe9"

    async def test_fields_of_the_connection_are_not_the_callers(self) -> None:
        async with self.calling(echo) as call:
            fields = {"connection": "close", "keep-alive": "1", "te": "gzip", "mine": "yes"}
            response = await call(Request("GET", "/", headers=Headers.of(fields)))
            assert response.headers.get("x-mine") == "yes"
            assert "x-keep-alive" not in response.headers
            assert "x-te" not in response.headers

    async def test_nothing_is_asked_for_that_the_caller_did_not_ask_for(self) -> None:
        async with self.calling(echo) as call:
            response = await call(Request("GET", "/"))
            for name in ("accept-encoding", "cookie", "authorization", "content-type"):
                assert f"x-{name}" not in response.headers

    @pytest.mark.parametrize("size", [1 << 16, 5_000_000])
    async def test_big_bodies_both_ways(self, size: int) -> None:
        body = bytes(range(256)) * (size // 256)
        async with self.calling(echo) as call:
            response = await call(Request("POST", "/", body=body))
            assert await read_all(response.body) == body

    async def test_a_small_body_comes_whole(self) -> None:
        async with self.calling(echo) as call:
            assert isinstance((await call(Request("POST", "/", body=b"x"))).body, bytes)

    async def test_a_streamed_request(self) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for number in range(100):
                yield b"%d\n" % number
                await asyncio.sleep(0)

        ends: list[BaseException | None] = []
        body = Stream(chunks())
        body.on_end(ends.append)
        async with self.calling(echo) as call:
            response = await call(Request("POST", "/", body=body))
            assert await read_all(response.body) == b"".join(b"%d\n" % n for n in range(100))
        assert ends == [None]

    async def test_a_streamed_request_of_known_length(self) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"hello "
            yield b"world"

        async with self.calling(echo) as call:
            headers = Headers.of({"content-length": "11"})
            response = await call(Request("POST", "/", headers=headers, body=Stream(chunks())))
            assert response.headers.get("x-content-length") == "11"
            assert response.body == b"hello world"

    async def test_an_error_in_the_callers_stream_is_the_callers(self) -> None:
        broken = asyncio.Event()

        async def chunks() -> AsyncIterator[bytes]:
            yield b"x"
            raise LookupError("no more")

        async def service(request: Request) -> Response:
            try:
                await read_all(request.body)
            except (OSError, CallError):
                broken.set()
                raise
            return Response(200)

        async with self.calling(service) as call:
            with pytest.raises(LookupError, match="no more"):
                await call(Request("POST", "/", body=Stream(chunks())))
            await soon(broken)

    async def test_a_streamed_response_comes_as_it_is_made(self) -> None:
        go = asyncio.Event()

        async def chunks() -> AsyncIterator[bytes]:
            await go.wait()
            yield b"one\n"
            go.clear()
            await go.wait()
            yield b"two\n"

        async def service(request: Request) -> Response:
            return streaming(chunks())

        async with self.calling(service) as call, asyncio.timeout(PROMPTLY):
            response = await call(Request("GET", "/"))  # the head comes before any chunk is made
            assert response.headers.get("content-type") == "application/x-ndjson"
            assert isinstance(response.body, Stream)
            go.set()
            assert await anext(response.body) == b"one\n"
            go.set()
            assert [chunk async for chunk in response.body] == [b"two\n"]

    async def test_a_slow_reader_slows_the_maker(self) -> None:
        made = 0

        async def chunks() -> AsyncIterator[bytes]:
            nonlocal made
            for _ in range(400):
                made += 1
                yield b"x" * 100_000

        async def service(request: Request) -> Response:
            return streaming(chunks())

        async with self.calling(service) as call:
            response = await call(Request("GET", "/"))
            await asyncio.sleep(0.3)
            assert made < 300  # 40 MB are more than sockets and buffers hold
            assert len(await read_all(response.body)) == 40_000_000

    async def test_both_ways_at_once(self) -> None:
        heard: asyncio.Queue[bytes] = asyncio.Queue()

        async def questions() -> AsyncIterator[bytes]:
            yield b"0"
            while (answer := await heard.get()) != b"answer 3":
                yield answer[-1:].translate(bytes.maketrans(b"012", b"123"))

        async def service(request: Request) -> Response:
            async def answers() -> AsyncIterator[bytes]:
                assert isinstance(request.body, Stream)
                async for question in request.body:
                    yield b"answer " + question

            return streaming(answers())

        async with self.calling(service) as call, asyncio.timeout(PROMPTLY):
            response = await call(Request("POST", "/", body=Stream(questions())))
            assert isinstance(response.body, Stream)
            async for answer in response.body:
                heard.put_nowait(answer)

    async def test_closing_a_stream_early_frees_the_connection(self) -> None:
        ended = asyncio.Event()

        async def service(request: Request) -> Response:
            if request.path == "/endless":
                return streaming(endless(ended))
            return await echo(request)

        async with self.calling(service) as call, asyncio.timeout(2 * PROMPTLY):
            response = await call(Request("GET", "/endless"))
            assert isinstance(response.body, Stream)
            assert await anext(response.body)
            await response.body.aclose()
            await soon(ended)
            assert (await call(Request("POST", "/", body=b"next"))).body == b"next"

    async def test_a_body_that_is_forgotten_frees_its_connection(self) -> None:
        ended = asyncio.Event()

        async def service(request: Request) -> Response:
            return streaming(endless(ended)) if request.method == "GET" else await echo(request)

        async with self.calling(service) as call:
            response = await call(Request("GET", "/"))
            assert isinstance(response.body, Stream)
            del response
            gc.collect()
            await soon(ended)
            async with asyncio.timeout(PROMPTLY):
                assert (await call(Request("POST", "/", body=b"next"))).body == b"next"

    async def test_cancelling_before_the_answer_ends_the_exchange(self) -> None:
        service = Hang()
        async with self.calling(service) as call:
            task = asyncio.ensure_future(call(Request("POST", "/hang", body=b"x")))
            await soon(service.called)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await soon(service.gone)

    async def test_cancelling_before_the_answer_frees_the_connection(self) -> None:
        service = Hang()
        async with self.calling(service) as call:
            task = asyncio.ensure_future(call(Request("POST", "/hang", body=b"x")))
            await soon(service.called)
            task.cancel()
            async with asyncio.timeout(PROMPTLY):
                assert (await call(Request("GET", "/"))).body == b"ok"

    async def test_cancelling_a_reader_and_closing_ends_the_exchange(self) -> None:
        ended = asyncio.Event()

        async def chunks() -> AsyncIterator[bytes]:
            try:
                yield b"x"
                await asyncio.Event().wait()
            finally:
                ended.set()

        async def service(request: Request) -> Response:
            if request.path == "/":
                return await echo(request)
            return streaming(chunks())

        async with self.calling(service) as call:
            response = await call(Request("GET", "/chunks"))
            task = asyncio.ensure_future(read_all(response.body))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await soon(ended)
            assert (await call(Request("POST", "/", body=b"next"))).body == b"next"

    async def test_close_lets_what_is_in_flight_end_and_refuses_what_is_new(self) -> None:
        called, go = asyncio.Event(), asyncio.Event()

        async def service(request: Request) -> Response:
            called.set()
            await go.wait()
            return Response(200, Headers.of({"content-length": "4"}), b"done")

        async with self.serve(service) as address:
            transport = self.transport(TransportSettings())
            call = transport.connect(address)
            task = asyncio.ensure_future(call(Request("GET", "/")))
            await soon(called)
            closing = asyncio.ensure_future(transport.close())
            await asyncio.sleep(0.01)
            with pytest.raises(ConnectError, match="closed") as refused:
                await call(Request("GET", "/"))
            assert refused.value.retry is Retry.NEVER
            assert not closing.done()
            go.set()
            assert (await task).body == b"done"
            async with asyncio.timeout(PROMPTLY):
                await closing

    async def test_close_waits_for_the_end_of_a_body(self) -> None:
        go = asyncio.Event()

        async def chunks() -> AsyncIterator[bytes]:
            yield b"one "
            await go.wait()
            yield b"two"

        async def service(request: Request) -> Response:
            return streaming(chunks())

        async with self.serve(service) as address:
            transport = self.transport(TransportSettings())
            response = await transport.connect(address)(Request("GET", "/"))
            closing = asyncio.ensure_future(transport.close())
            await asyncio.sleep(0.01)
            assert not closing.done()
            go.set()
            assert await read_all(response.body) == b"one two"
            async with asyncio.timeout(PROMPTLY):
                await closing

    async def test_close_waits_no_longer_than_it_was_told(self) -> None:
        service = Hang()
        async with self.serve(service) as address:
            transport = self.transport(TransportSettings(drain_timeout=0.05))
            task = asyncio.ensure_future(transport.connect(address)(Request("GET", "/hang")))
            await soon(service.called)
            async with asyncio.timeout(PROMPTLY):
                await transport.close()
                with pytest.raises(ConnectionLost):
                    await task

    async def test_use_from_two_event_loops(self) -> None:
        async with self.serve(echo) as address:
            transport = self.transport(TransportSettings())
            call = transport.connect(address)
            bodies: list[bytes] = []

            async def several(name: bytes) -> None:
                for number in range(5):
                    body = b"%b %d" % (name, number)
                    bodies.append(
                        await read_all((await call(Request("POST", "/", body=body))).body)
                    )
                    await asyncio.sleep(0)

            thread = threading.Thread(target=lambda: asyncio.run(several(b"other")))
            thread.start()
            await several(b"this")
            await asyncio.to_thread(thread.join)
            await several(b"again")
            await transport.close()
            expected = [b"%b %d" % (n, i) for n in (b"other", b"this", b"again") for i in range(5)]
            assert sorted(bodies) == sorted(expected)


class Http(Suite):
    """How servers are reached over TCP; Unix sockets have their own."""

    def serve(self, service: Service) -> AbstractAsyncContextManager[Address]:
        return uvicorn_server(service)

    def raw(self, handler: Handler) -> AbstractAsyncContextManager[RawServer]:
        return raw_server(handler)

    @asynccontextmanager
    async def wire(
        self, handler: Handler, settings: TransportSettings = NO_DRAIN
    ) -> AsyncIterator[tuple[Service, RawServer]]:
        async with self.raw(handler) as server:
            transport = self.transport(settings)
            try:
                yield transport.connect(server.address), server
            finally:
                await transport.close()


GET = Request("GET", "/")


def post() -> Request:
    return Request("POST", "/", body=b"{}")
