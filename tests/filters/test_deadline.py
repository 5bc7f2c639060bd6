from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec import json

from skerry.core.clock import ManualClock
from skerry.core.context import Context, attach, current, new_trace
from skerry.core.errors import ConnectionLost, DeadlineExceeded, Retry
from skerry.core.service import apply
from skerry.core.wire import Request, Response, Stream
from skerry.filters.deadline import ClientDeadline, DeadlineSettings, ServerDeadline

REQUEST = Request("GET", "/quotes")


class Slow:
    """A service that answers after a while, and remembers what it saw."""

    def __init__(self, clock: ManualClock, seconds: float) -> None:
        self.clock, self.seconds = clock, seconds
        self.calls = 0
        self.cancelled = False
        self.deadline: float | None = None

    async def __call__(self, request: Request) -> Response:
        self.calls += 1
        self.deadline = current().deadline
        try:
            await self.clock.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return Response(200)


class TestClient:
    @pytest.fixture
    def deadline(self, clock: ManualClock) -> ClientDeadline:
        return ClientDeadline(DeadlineSettings(timeout=10.0, idle=2.0), "quotes", clock)

    async def test_in_time(self, deadline: ClientDeadline, clock: ManualClock) -> None:
        slow = Slow(clock, 9.9)
        before = current()
        task = asyncio.ensure_future(apply(deadline, slow)(REQUEST))
        await clock.advance(9.9)
        assert (await task).status == 200
        assert slow.deadline == pytest.approx(1_010.0)
        assert current() is before

    async def test_too_late(self, deadline: ClientDeadline, clock: ManualClock) -> None:
        slow = Slow(clock, 11.0)
        task = asyncio.ensure_future(apply(deadline, slow)(REQUEST))
        await clock.advance(9.9)
        assert not task.done()
        await clock.advance(0.2)
        with pytest.raises(DeadlineExceeded, match=r"quotes: no answer after 10 s") as caught:
            await task
        assert caught.value.retry is Retry.NEVER
        assert slow.cancelled

    @pytest.mark.parametrize(("left", "expected"), [(3.0, 1_003.0), (30.0, 1_010.0)])
    async def test_the_earlier_one_counts(
        self, deadline: ClientDeadline, clock: ManualClock, left: float, expected: float
    ) -> None:
        trace = new_trace()
        attach(Context(trace, clock.now() + left, "critical", {"tenant": "a"}))
        seen: list[Context] = []

        async def service(request: Request) -> Response:
            seen.append(current())
            return Response(200)

        await apply(deadline, service)(REQUEST)
        assert seen == [Context(trace, expected, "critical", {"tenant": "a"})]
        assert current().deadline == clock.now() + left

    @pytest.mark.parametrize("left", [0.0, -1.0])
    async def test_nothing_is_sent_when_nothing_is_left(
        self, deadline: ClientDeadline, clock: ManualClock, left: float
    ) -> None:
        attach(Context(deadline=clock.now() + left))
        slow = Slow(clock, 0.0)
        with pytest.raises(DeadlineExceeded, match="nothing was sent"):
            await apply(deadline, slow)(REQUEST)
        assert slow.calls == 0

    async def test_cancelling_is_not_running_out_of_time(
        self, deadline: ClientDeadline, clock: ManualClock
    ) -> None:
        task = asyncio.ensure_future(apply(deadline, Slow(clock, 5.0))(REQUEST))
        await clock.advance(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_a_timeout_of_someone_else_passes(self, deadline: ClientDeadline) -> None:
        async def service(request: Request) -> Response:
            raise TimeoutError("mine")

        with pytest.raises(TimeoutError, match="mine"):
            await apply(deadline, service)(REQUEST)


class TestBodies:
    """To the first byte the deadline counts, and from there on how long nothing comes."""

    async def body(self, clock: ManualClock, pauses: list[float], closed: list[bool]) -> Stream:
        async def chunks() -> AsyncIterator[bytes]:
            try:
                for pause in pauses:
                    await clock.sleep(pause)
                    yield b"x"
            finally:
                closed.append(True)

        async def service(request: Request) -> Response:
            await clock.sleep(1.0)
            return Response(200, body=Stream(chunks()))

        deadline = ClientDeadline(DeadlineSettings(timeout=10.0, idle=2.0), "quotes", clock)
        task = asyncio.ensure_future(apply(deadline, service)(REQUEST))
        await clock.advance(1.0)
        body = (await task).body
        assert isinstance(body, Stream)
        return body

    async def test_a_long_body_may_outlast_the_deadline(self, clock: ManualClock) -> None:
        closed: list[bool] = []
        body = await self.body(clock, [8.0, *[1.5] * 20], closed)
        reading = asyncio.ensure_future(body.read())
        await clock.advance(40.0)
        assert await reading == b"x" * 21

    @pytest.mark.parametrize("pauses", [[9.5], [8.0, 2.5]], ids=["first", "idle"])
    async def test_a_body_that_does_not_go_on_ends(
        self, clock: ManualClock, pauses: list[float]
    ) -> None:
        closed: list[bool] = []
        body = await self.body(clock, pauses, closed)
        ends: list[BaseException | None] = []
        body.on_end(ends.append)
        reading = asyncio.ensure_future(body.read())
        await clock.advance(15.0)
        with pytest.raises(DeadlineExceeded):
            await reading
        assert closed == [True]
        assert [type(end) for end in ends] == [DeadlineExceeded]

    async def test_a_slow_reader_is_not_an_idle_sender(self, clock: ManualClock) -> None:
        body = await self.body(clock, [1.0, 1.0], [])
        for _ in range(2):
            reading = asyncio.ensure_future(anext(body))
            await clock.advance(1.0)
            assert await reading == b"x"
            await clock.advance(100.0)

    async def test_an_error_of_the_body_passes(self, clock: ManualClock) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"x"
            raise ConnectionLost("gone")

        async def service(request: Request) -> Response:
            return Response(200, body=Stream(chunks()))

        deadline = ClientDeadline(DeadlineSettings(), "quotes", clock)
        body = (await apply(deadline, service)(REQUEST)).body
        assert isinstance(body, Stream)
        with pytest.raises(ConnectionLost):
            await body.read()


class TestServer:
    @pytest.fixture
    def deadline(self, clock: ManualClock) -> ServerDeadline:
        return ServerDeadline(30.0, "quotes", clock)

    async def test_in_time(self, deadline: ServerDeadline, clock: ManualClock) -> None:
        slow = Slow(clock, 29.0)
        task = asyncio.ensure_future(apply(deadline, slow)(REQUEST))
        await clock.advance(29.0)
        assert (await task).status == 200
        assert slow.deadline == pytest.approx(1_030.0)

    async def test_the_callers_deadline_is_kept(
        self, deadline: ServerDeadline, clock: ManualClock
    ) -> None:
        attach(Context(deadline=clock.now() + 5.0))
        slow = Slow(clock, 6.0)
        task = asyncio.ensure_future(apply(deadline, slow)(REQUEST))
        await clock.advance(5.0)
        response = await task
        assert slow.cancelled
        assert response.status == 504
        assert response.headers.get("content-type") == "application/problem+json"
        assert response.headers.get("grpc-retry-pushback-ms") == "-1"
        assert isinstance(response.body, bytes)
        assert json.decode(response.body) == {
            "type": "about:blank",
            "title": "Gateway Timeout",
            "status": 504,
            "detail": "quotes: not done after 5 s",
        }

    async def test_its_own_limit_counts_too(
        self, deadline: ServerDeadline, clock: ManualClock
    ) -> None:
        attach(Context(deadline=clock.now() + 500.0))
        task = asyncio.ensure_future(apply(deadline, Slow(clock, 31.0))(REQUEST))
        await clock.advance(30.0)
        assert (await task).status == 504

    async def test_work_nobody_waits_for_is_not_begun(
        self, deadline: ServerDeadline, clock: ManualClock
    ) -> None:
        attach(Context(deadline=clock.now()))
        slow = Slow(clock, 0.0)
        assert (await apply(deadline, slow)(REQUEST)).status == 504
        assert slow.calls == 0

    async def test_a_body_that_is_on_its_way_is_left_alone(
        self, deadline: ServerDeadline, clock: ManualClock
    ) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            await clock.sleep(100.0)
            yield b"at last"

        async def service(request: Request) -> Response:
            return Response(200, body=Stream(chunks()))

        body = (await apply(deadline, service)(REQUEST)).body
        assert isinstance(body, Stream)
        reading = asyncio.ensure_future(body.read())
        await clock.advance(100.0)
        assert await reading == b"at last"
