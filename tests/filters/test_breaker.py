from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from skerry.core.clock import ManualClock
from skerry.core.errors import (
    AttemptTimeout,
    BreakerOpen,
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    Retry,
)
from skerry.core.instance import Status
from skerry.core.service import apply
from skerry.core.wire import Headers, Request, Response, Stream
from skerry.filters.breaker import Breaker, BreakerSettings
from skerry.telemetry.metrics import Metrics

REQUEST = Request("GET", "/quotes")
SILENT = [ConnectError(), ConnectionLost(), AttemptTimeout()]


class Kit:
    """A breaker around a service that ends each call as it is told."""

    def __init__(self, clock: ManualClock, **settings: Any) -> None:
        self.clock = clock
        self.metrics = Metrics()
        self.breaker = Breaker(
            BreakerSettings(**settings),
            self.metrics,
            "portal",
            "quotes",
            "quotes-1",
            clock,
            random.Random(3),
        )
        self.next: Response | BaseException = Response(200)
        self.calls = 0
        self.gate: asyncio.Event | None = None
        self.service = apply(self.breaker, self._serve)

    async def _serve(self, request: Request) -> Response:
        self.calls += 1
        ending = self.next
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(ending, BaseException):
            raise ending
        return ending

    async def send(self, ending: Response | BaseException, times: int = 1) -> None:
        for _ in range(times):
            self.next = ending
            if isinstance(ending, BaseException):
                with pytest.raises(type(ending)):
                    await self.service(REQUEST)
            else:
                await self.service(REQUEST)

    @property
    def status(self) -> Status:
        return self.breaker.status

    @property
    def opened(self) -> int:
        return self.metrics.counter("skerry_breaker_opened", app="portal", peer="quotes").value


@pytest.fixture
def kit(clock: ManualClock) -> Kit:
    return Kit(clock)


def bad(status: int = 500, pushback: str | None = None) -> Response:
    headers = Headers.of({"grpc-retry-pushback-ms": pushback} if pushback else {})
    return Response(status, headers)


class TestOpening:
    @pytest.mark.parametrize("error", SILENT, ids=lambda error: type(error).__name__)
    async def test_an_instance_that_does_not_answer_is_closed(
        self, kit: Kit, error: Exception
    ) -> None:
        await kit.send(error, 4)
        assert kit.status is Status.OPEN
        await kit.send(error)
        assert kit.status is Status.CLOSED
        assert kit.opened == 1

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
    async def test_an_instance_that_answers_badly_is_avoided(self, kit: Kit, status: int) -> None:
        await kit.send(bad(status), 5)
        assert kit.status is Status.BUSY

    @pytest.mark.parametrize(
        "ending",
        [
            bad(404),
            bad(429),
            bad(501),
            bad(503, "0"),
            bad(503, "1000"),
            bad(502, "-1"),
            DeadlineExceeded(),
            asyncio.CancelledError(),
            ValueError(),
        ],
        ids=repr,
    )
    async def test_what_does_not_speak_of_the_instance(
        self, kit: Kit, ending: Response | BaseException
    ) -> None:
        await kit.send(ending, 100)
        assert kit.status is Status.OPEN

    async def test_a_share_of_failures_is_enough(self, kit: Kit) -> None:
        for _ in range(8):  # a third fails, never five in a row
            await kit.send(bad(), 1)
            await kit.send(Response(200), 2)
        assert kit.status is Status.BUSY

    async def test_some_failures_are_normal(self, kit: Kit) -> None:
        for _ in range(100):
            await kit.send(bad(), 1)
            await kit.send(Response(200), 9)
        assert kit.status is Status.OPEN

    async def test_a_few_calls_say_nothing(self, kit: Kit) -> None:
        for _ in range(6):
            await kit.send(bad(), 2)
            await kit.send(Response(200), 1)
            if kit.breaker._rate.good + kit.breaker._rate.bad < 18:
                assert kit.status is Status.OPEN

    async def test_old_failures_fade(self, kit: Kit, clock: ManualClock) -> None:
        for _ in range(9):
            await kit.send(bad(), 1)
            await kit.send(Response(200), 1)
        await clock.advance(60.0)
        await kit.send(Response(200), 18)
        await kit.send(bad(), 2)
        assert kit.status is Status.OPEN


class TestOpen:
    async def test_a_silent_one_is_not_called(self, kit: Kit) -> None:
        await kit.send(ConnectError(), 5)
        with pytest.raises(BreakerOpen, match="quotes: quotes-1 does not answer") as caught:
            await kit.service(REQUEST)
        assert caught.value.retry is Retry.SAFE
        assert kit.calls == 5

    async def test_one_that_answers_badly_still_answers_where_there_is_no_other(
        self, kit: Kit
    ) -> None:
        await kit.send(bad(), 5)
        kit.next = Response(200)
        assert (await kit.service(REQUEST)).status == 200
        assert kit.status is Status.BUSY


class TestProbing:
    async def reopen(self, kit: Kit, clock: ManualClock, seconds: float = 1.0) -> None:
        await kit.send(ConnectError(), 5)
        await clock.advance(seconds)
        assert kit.status is Status.OPEN

    async def test_one_call_asks_and_the_others_are_turned_away(
        self, kit: Kit, clock: ManualClock
    ) -> None:
        await self.reopen(kit, clock)
        kit.gate, kit.next = asyncio.Event(), Response(200)
        probe = asyncio.ensure_future(kit.service(REQUEST))
        await asyncio.sleep(0)
        assert kit.status is Status.CLOSED
        with pytest.raises(BreakerOpen):
            await kit.service(REQUEST)
        kit.gate.set()
        await probe
        assert kit.status is Status.OPEN
        assert kit.calls == 6

    async def test_after_a_good_answer_all_is_forgotten(self, kit: Kit, clock: ManualClock) -> None:
        await self.reopen(kit, clock)
        await kit.send(Response(200))
        await kit.send(ConnectError(), 4)
        assert kit.status is Status.OPEN
        await kit.send(ConnectError())
        assert kit.status is Status.CLOSED
        assert kit.opened == 2

    async def test_pauses_double_up_to_a_limit_with_jitter(
        self, kit: Kit, clock: ManualClock
    ) -> None:
        await kit.send(ConnectError(), 5)
        pauses = []
        for _ in range(8):
            start = clock.now()
            while kit.status is not Status.OPEN:
                await clock.advance(0.05)
            pauses.append(clock.now() - start)
            await kit.send(ConnectError())
        for pause, limit in zip(pauses, [1, 2, 4, 8, 16, 30, 30, 30], strict=True):
            assert limit / 2 <= pause <= limit + 0.1
        assert len({round(pause, 2) for pause in pauses[5:]}) == 3
        assert kit.opened == 1

    @pytest.mark.parametrize(
        "ending", [asyncio.CancelledError(), DeadlineExceeded(), bad(503, "100")], ids=repr
    )
    async def test_an_answer_that_says_nothing_asks_again(
        self, kit: Kit, clock: ManualClock, ending: Response | BaseException
    ) -> None:
        await self.reopen(kit, clock)
        await kit.send(ending)
        assert kit.status is Status.OPEN
        await kit.send(Response(200))
        assert kit.status is Status.OPEN
        await kit.send(ConnectError(), 4)
        assert kit.status is Status.OPEN

    async def test_how_it_fails_decides_how_it_is_left(self, kit: Kit, clock: ManualClock) -> None:
        await self.reopen(kit, clock)
        await kit.send(bad())
        assert kit.status is Status.BUSY


class TestStreams:
    def stream(self, error: Exception | None) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"x"
            if error:
                raise error

        return Response(200, body=Stream(chunks()))

    async def read(self, kit: Kit, error: Exception | None) -> None:
        kit.next = self.stream(error)
        body = (await kit.service(REQUEST)).body
        assert isinstance(body, Stream)
        try:
            await body.read()
        except ConnectionLost:
            pass

    async def test_the_sample_ends_with_the_body(self, kit: Kit) -> None:
        for _ in range(5):
            await self.read(kit, ConnectionLost())
        assert kit.status is Status.CLOSED

    async def test_a_probe_ends_with_the_head(self, kit: Kit, clock: ManualClock) -> None:
        await kit.send(ConnectError(), 5)
        await clock.advance(1.0)
        kit.next = self.stream(None)
        await kit.service(REQUEST)
        assert kit.status is Status.OPEN

    async def test_bad_answers_with_streams_are_bad_answers(self, kit: Kit) -> None:
        for _ in range(5):
            response = self.stream(None)
            response.status = 500
            await kit.send(response)
        assert kit.status is Status.BUSY


async def test_an_instance_may_be_away_for_days(clock: ManualClock) -> None:
    kit = Kit(clock, reopen=1.0, longest=2.0, consecutive=1)
    for _ in range(1100):  # 2.0**1100 is more than a float holds
        await kit.send(ConnectError())
        await clock.advance(2.0)
    assert kit.calls == 1100
    await kit.send(Response(200))
    assert kit.breaker.status is Status.OPEN


async def test_calls_from_before_it_was_well_again_do_not_open_it_anew(clock: ManualClock) -> None:
    kit = Kit(clock, reopen=1.0)
    kit.gate, kit.next = asyncio.Event(), AttemptTimeout()
    stuck = [asyncio.ensure_future(kit.service(REQUEST)) for _ in range(10)]
    await asyncio.sleep(0)
    gate, kit.gate = kit.gate, None
    await kit.send(ConnectError(), times=5)
    assert kit.status is Status.CLOSED
    await clock.advance(1.0)
    await kit.send(Response(200))
    assert kit.status is Status.OPEN
    gate.set()
    assert all(
        isinstance(e, AttemptTimeout) for e in await asyncio.gather(*stuck, return_exceptions=True)
    )
    assert kit.status is Status.OPEN
    await kit.send(AttemptTimeout(), times=5)
    assert kit.status is Status.CLOSED
