"""Loopback does what a network does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

import pytest

from skerry.core import context
from skerry.core.errors import ConnectError, ConnectionLost, Retry
from skerry.core.instance import Address
from skerry.core.wire import Headers, Request, Response, Stream, read_all
from skerry.transport.base import TransportSettings
from skerry.transport.loopback import Loopback, provide, provided, withdraw

from .conformance import Exchanges, Hang, echo, endless, soon, streaming
from .servers import Service

variable: ContextVar[str] = ContextVar("variable")


class TestLoopback(Exchanges):
    loops = ("asyncio", "uvloop")

    def transport(self, settings: TransportSettings) -> Loopback:
        return Loopback(settings)

    @asynccontextmanager
    async def serve(self, service: Service) -> AsyncIterator[Address]:
        provide("app", service)
        try:
            yield Address("local:app")
        finally:
            withdraw("app")

    async def test_nothing_but_headers_crosses(self) -> None:
        variable.set("the caller's")
        context.amend(baggage={"tenant": "t1"})
        seen: list[object] = []

        async def service(request: Request) -> Response:
            seen.extend((variable.get("unset"), context.current(), asyncio.current_task()))
            seen.append(request)
            variable.set("the app's")
            return Response(200, shared)

        shared = Headers.of({"x-a": "1"})
        sent = Request("GET", "/", headers=Headers.of({"x-b": "2"}), route="r", params={"p": "1"})
        async with self.calling(service) as call:
            response = await call(sent)
        response.headers.add("x-c", "3")
        assert variable.get() == "the caller's"
        assert seen[0] == "unset"
        assert seen[1] == context.EMPTY
        assert seen[2] is not asyncio.current_task()
        arrived = seen[3]
        assert isinstance(arrived, Request)
        assert (arrived.route, arrived.params, arrived.headers.get("x-b")) == ("", {}, "2")
        assert arrived.headers.get("host") == "app"
        assert len(sent.headers) == len(shared) == 1

    async def test_a_body_is_made_in_the_apps_context(self) -> None:
        variable.set("the caller's")

        async def chunks() -> AsyncIterator[bytes]:
            variable.set("the app's")
            yield variable.get().encode()

        async def service(request: Request) -> Response:
            return Response(200, body=Stream(chunks()))

        async with self.calling(service) as call:
            assert await read_all((await call(Request("GET", "/"))).body) == b"the app's"
        assert variable.get() == "the caller's"

    async def test_an_app_that_raises_is_a_lost_connection(self) -> None:
        async def service(request: Request) -> Response:
            raise LookupError("bug")

        async with self.calling(service) as call:
            with pytest.raises(ConnectionLost, match="'app' gave no answer: LookupError") as lost:
                await call(Request("GET", "/"))
            assert isinstance(lost.value.__cause__, LookupError)

    async def test_an_app_that_is_cancelled_does_not_cancel_its_caller(self) -> None:
        async def service(request: Request) -> Response:
            raise asyncio.CancelledError

        async with self.calling(service) as call:
            with pytest.raises(ConnectionLost):
                await call(Request("GET", "/"))

    async def test_a_body_that_breaks_is_a_lost_connection(self) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"x"
            raise LookupError("bug")

        async def service(request: Request) -> Response:
            return Response(200, body=Stream(chunks()))

        async with self.calling(service) as call:
            with pytest.raises(ConnectionLost):
                await read_all((await call(Request("GET", "/"))).body)

    async def test_a_caller_that_is_cancelled_does_not_wait_for_a_stubborn_app(self) -> None:
        called, go = asyncio.Event(), asyncio.Event()

        async def service(request: Request) -> Response:
            called.set()
            try:
                await asyncio.Event().wait()
            finally:
                await go.wait()
            raise AssertionError

        async with self.serve(service) as address:
            task = asyncio.ensure_future(Loopback().connect(address)(Request("GET", "/")))
            await called.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            go.set()

    async def test_an_app_that_is_not_here(self) -> None:
        async with self.serve(echo) as address:
            call = Loopback().connect(address)
            assert provided("app")
        assert not provided("app")
        withdraw("app")  # again: no matter
        with pytest.raises(ConnectError, match="'app'") as caught:
            await call(Request("GET", "/"))
        assert caught.value.retry is Retry.SAFE

    async def test_calls_from_other_loops_run_where_the_app_lives(self) -> None:
        here = threading.get_ident()
        threads: set[int] = set()
        ended = asyncio.Event()

        async def upper(request: Request) -> Response:
            threads.add(threading.get_ident())
            if request.path == "/endless":
                return streaming(endless(ended))

            async def chunks() -> AsyncIterator[bytes]:
                assert isinstance(request.body, Stream)
                async for chunk in request.body:
                    threads.add(threading.get_ident())
                    yield chunk.upper()

            return streaming(chunks())

        async def questions() -> AsyncIterator[bytes]:
            assert threading.get_ident() != here
            yield b"a"
            await asyncio.sleep(0)
            yield b"b"

        async def elsewhere() -> bytes:
            body = (await call(Request("GET", "/endless"))).body
            assert isinstance(body, Stream)
            assert await anext(body)
            await body.aclose()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await hanging(Request("GET", "/hang"))
            response = await call(Request("POST", "/", body=Stream(questions())))
            return await read_all(response.body)

        hang = Hang()
        provide("hang", hang)
        hanging = Loopback().connect(Address("local:hang"))
        async with self.serve(upper) as address:
            call = Loopback().connect(address)
            assert await asyncio.to_thread(asyncio.run, elsewhere()) == b"AB"
            await soon(ended)
            await soon(hang.gone)
        withdraw("hang")
        assert threads == {here}


def test_an_app_whose_loop_has_ended() -> None:
    async def start() -> None:
        provide("ended", echo)

    asyncio.run(start())
    with pytest.raises(ConnectError, match="has ended"):
        asyncio.run(_call("ended"))
    withdraw("ended")


def test_an_app_provided_outside_of_any_loop_runs_in_the_callers() -> None:
    provide("outside", echo)
    for _ in range(2):
        assert asyncio.run(_call("outside")).status == 200
    withdraw("outside")


async def _call(name: str) -> Response:
    return await Loopback().connect(Address(f"local:{name}"))(Request("GET", "/"))
