from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from skerry.core.clock import ManualClock
from skerry.core.context import Context, attach
from skerry.core.errors import (
    AttemptTimeout,
    BreakerOpen,
    CallError,
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    NoInstance,
    Retry,
)
from skerry.core.service import Service, apply
from skerry.core.wire import Headers, Request, Response, Stream
from skerry.filters.budget import BudgetSettings, RetryBudget
from skerry.filters.retry import Retrier, RetrySettings
from skerry.telemetry.metrics import Metrics

PUSHBACK = "grpc-retry-pushback-ms"
GET = Request("GET", "/quotes")
POST = Request("POST", "/quotes")
KEYED = Request("POST", "/quotes", headers=Headers.of({"idempotency-key": "k"}))


class Scripted:
    """A service that ends each call as the script says, and remembers when it was called."""

    def __init__(self, clock: ManualClock, *script: Response | Exception) -> None:
        self.clock, self.script = clock, list(script)
        self.times: list[float] = []

    async def __call__(self, request: Request) -> Response:
        self.times.append(self.clock.now())
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    @property
    def waits(self) -> list[float]:
        return [later - one for one, later in zip(self.times, self.times[1:], strict=False)]


class Kit:
    """A retry filter and all that is around it."""

    def __init__(self, clock: ManualClock, **settings: Any) -> None:
        self.clock = clock
        self.metrics = Metrics()
        self.settings = RetrySettings(**settings)
        self.budget = RetryBudget(self.settings.budget, clock)
        self.retry = Retrier(
            self.settings, self.budget, self.metrics, "portal", "quotes", clock, random.Random(7)
        )

    async def call(self, service: Service[Request, Response], request: Request = GET) -> Response:
        task = asyncio.ensure_future(apply(self.retry, service)(request))
        await self.clock.advance(300.0)
        return await task

    async def ends(self, service: Scripted, request: Request, ending: Response | Exception) -> None:
        """The call ends with ``ending`` itself, raised or returned."""
        if isinstance(ending, Exception):
            with pytest.raises(type(ending)) as caught:
                await self.call(service, request)
            assert caught.value is ending
        else:
            assert await self.call(service, request) is ending

    def counted(self, name: str) -> int:
        return self.metrics.counter(name, app="portal", peer="quotes").value


@pytest.fixture
def kit(clock: ManualClock) -> Kit:
    return Kit(clock)


def answer(status: int, **headers: str) -> Response:
    return Response(
        status, Headers.of({name.replace("_", "-"): value for name, value in headers.items()})
    )


def pushed(status: int, value: str) -> Response:
    return Response(status, Headers.of({PUSHBACK: value}))


@pytest.mark.parametrize(
    ("first", "request_", "attempts"),
    [
        # what was never sent may be sent again, whatever it is
        (ConnectError(), GET, 2),
        (ConnectError(), POST, 2),
        (BreakerOpen(), POST, 2),
        # what was waited for already
        (NoInstance(), GET, 1),
        # what may have been done, only where doing it twice does no harm
        (ConnectionLost(), GET, 2),
        (ConnectionLost(), POST, 1),
        (ConnectionLost(), KEYED, 2),
        (AttemptTimeout(), GET, 2),
        (AttemptTimeout(), POST, 1),
        (AttemptTimeout(), KEYED, 2),
        # what is over is over
        (DeadlineExceeded(), GET, 1),
        (ConnectError(retry=Retry.NEVER), GET, 1),
        (ValueError(), GET, 1),
        # answers: the server's word first
        (pushed(503, "0"), POST, 2),
        (pushed(429, "20"), POST, 2),
        (pushed(503, "-1"), GET, 1),
        (pushed(503, "soon"), GET, 1),
        (pushed(500, "0"), GET, 1),
        # and without it, by method
        (answer(503), GET, 2),
        (answer(503), POST, 1),
        (answer(503), KEYED, 2),
        (answer(502), GET, 2),
        (answer(504), GET, 2),
        (answer(429), GET, 2),
        (answer(429), POST, 1),
        # everything else is an answer
        (answer(500), GET, 1),
        (answer(501), GET, 1),
        (answer(404), GET, 1),
        (answer(200), GET, 1),
    ],
)
async def test_what_is_tried_again(
    kit: Kit, clock: ManualClock, first: Response | Exception, request_: Request, attempts: int
) -> None:
    service = Scripted(clock, first, answer(200))
    if attempts == 2:
        assert (await kit.call(service, request_)).status == 200
    else:
        await kit.ends(service, request_, first)
    assert len(service.times) == attempts
    assert kit.counted("skerry_retries") == attempts - 1


class TestGivingUp:
    async def test_an_error_leaves_with_its_marker(self, kit: Kit, clock: ManualClock) -> None:
        service = Scripted(clock, *[ConnectError(str(n)) for n in range(3)])
        with pytest.raises(ConnectError, match="2") as caught:
            await kit.call(service)
        assert caught.value.retry is Retry.NEVER
        assert len(service.times) == 3
        assert ConnectError.retry is Retry.SAFE

    @pytest.mark.parametrize("last", [answer(503), pushed(503, "5")])
    async def test_an_answer_leaves_with_its_marker(
        self, kit: Kit, clock: ManualClock, last: Response
    ) -> None:
        service = Scripted(clock, answer(503), answer(503), last)
        response = await kit.call(service)
        assert response.status == 503
        assert response.headers.get_all(PUSHBACK) == ["-1"]
        assert response.headers.get(PUSHBACK) == "-1"

    async def test_an_answer_that_was_not_ours_to_retry_is_left_alone(
        self, kit: Kit, clock: ManualClock
    ) -> None:
        response = await kit.call(Scripted(clock, answer(503)), POST)
        assert response.headers.get(PUSHBACK) is None

    async def test_three_layers_make_three_attempts(self, clock: ManualClock) -> None:
        calls = 0

        async def broken(request: Request) -> Response:
            nonlocal calls
            calls += 1
            return answer(503)

        service: Service[Request, Response] = broken
        for _ in range(2):
            service = apply(Kit(clock).retry, service)
        await Kit(clock).call(service)
        assert calls == 3

    async def test_a_spent_budget(self, clock: ManualClock) -> None:
        kit = Kit(clock, budget=BudgetSettings(share=0.0, per_second=0.1))
        service = Scripted(clock, ConnectError(), ConnectError(), answer(503))
        with pytest.raises(ConnectError) as caught:
            await kit.call(service)
        assert caught.value.retry is Retry.NEVER
        assert len(service.times) == 2
        assert kit.counted("skerry_retry_budget_spent") == 1


class TestWaiting:
    async def test_full_jitter_below_a_limit_that_doubles(self, clock: ManualClock) -> None:
        waits: list[list[float]] = [[], [], [], []]
        kit = Kit(
            clock, attempts=5, backoff=0.1, longest=0.5, budget=BudgetSettings(per_second=1e6)
        )
        for _ in range(40):
            service = Scripted(clock, *[ConnectError() for _ in range(4)], answer(200))
            await kit.call(service)
            for seen, wait in zip(waits, service.waits, strict=True):
                seen.append(wait)
        for seen, limit in zip(waits, [0.1, 0.2, 0.4, 0.5], strict=True):
            assert 0.8 * limit < max(seen) <= limit
            assert min(seen) < 0.2 * limit

    async def test_the_same_seed_waits_the_same(self) -> None:
        async def waits() -> Sequence[float]:
            clock = ManualClock()
            service = Scripted(clock, ConnectError(), ConnectError(), answer(200))
            await Kit(clock).call(service)
            return service.waits

        assert await waits() == await waits()

    @pytest.mark.parametrize(
        ("refusal", "least"),
        [
            (pushed(503, "1500"), 1.5),
            (answer(503, retry_after="2"), 2.0),
            (answer(429, retry_after="Thu, 01 Jan 1970 00:16:43 GMT"), 3.0),
            (answer(503, retry_after="whenever"), 0.0),
            (Response(503, Headers.of({PUSHBACK: "100", "retry-after": "60"})), 0.1),
        ],
    )
    async def test_the_server_is_left_alone_as_long_as_it_asked(
        self, kit: Kit, clock: ManualClock, refusal: Response, least: float
    ) -> None:
        service = Scripted(clock, refusal, answer(200))
        await kit.call(service)
        assert least <= service.waits[0] <= least + kit.settings.backoff

    async def test_never_beyond_the_deadline(self, kit: Kit, clock: ManualClock) -> None:
        attach(Context(deadline=clock.now() + 1.0))
        service = Scripted(clock, pushed(503, "1000"), answer(200))
        response = await kit.call(service)
        assert response.headers.get(PUSHBACK) == "-1"
        assert len(service.times) == 1
        assert kit.counted("skerry_retries") == 0


class TestBodies:
    async def chunks(self) -> AsyncIterator[bytes]:
        yield b"x"

    @pytest.mark.parametrize(
        ("first", "attempts"),
        [(ConnectError(), 2), (pushed(503, "0"), 2), (ConnectionLost(), 1), (answer(503), 1)],
    )
    async def test_a_stream_that_nobody_has_read_from_can_be_sent(
        self, kit: Kit, clock: ManualClock, first: Response | CallError, attempts: int
    ) -> None:
        service = Scripted(clock, first, answer(200))
        request = Request("PUT", "/quotes", body=Stream(self.chunks()))
        if attempts == 2:
            assert (await kit.call(service, request)).status == 200
        else:
            await kit.ends(service, request, first)
        assert len(service.times) == attempts

    @pytest.mark.parametrize("first", [ConnectError(), pushed(503, "0")])
    async def test_a_stream_that_was_read_from_cannot(
        self, kit: Kit, clock: ManualClock, first: Response | CallError
    ) -> None:
        service = Scripted(clock, first, answer(200))
        body = Stream(self.chunks())
        await anext(body)
        await kit.ends(service, Request("PUT", "/quotes", body=body), first)
        assert len(service.times) == 1

    async def test_the_body_of_an_answer_that_is_not_used_is_closed(
        self, kit: Kit, clock: ManualClock
    ) -> None:
        ends: list[BaseException | None] = []
        body = Stream(self.chunks())
        body.on_end(ends.append)
        refusal = Response(503, body=body)
        assert (await kit.call(Scripted(clock, refusal, answer(200)))).status == 200
        assert ends == [None]


@pytest.mark.parametrize("value", ["9" * 400, "9" * 5000])
async def test_a_pushback_beyond_all_numbers_is_beyond_the_deadline(kit: Kit, value: str) -> None:
    attach(Context(deadline=kit.clock.now() + 10.0))
    service = Scripted(kit.clock, pushed(503, value))
    assert (await kit.call(service)).headers.get(PUSHBACK) == "-1"
