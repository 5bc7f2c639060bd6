from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from skerry.core.clock import ManualClock
from skerry.core.errors import ConnectError, ConnectionLost, NotFound
from skerry.core.service import apply
from skerry.core.wire import Request, Response, Stream
from skerry.filters.observe import Observe
from skerry.telemetry.metrics import OVERFLOW, Metrics, Series
from skerry.telemetry.outcome import OUTCOMES

REQUEST = Request("GET", "/quotes", route="list_quotes")


def outcomes(series: Series) -> dict[str, int]:
    return {
        name: histogram.count
        for name, histogram in zip(OUTCOMES, series.histograms, strict=True)
        if histogram.count
    }


@pytest.fixture
def series(metrics: Metrics) -> Series:
    return metrics.series("client", "portal", "list_quotes", "quotes")


@pytest.fixture
def observe(metrics: Metrics, clock: ManualClock) -> Observe:
    return Observe(metrics, "client", "portal", "quotes", clock=clock)


@pytest.mark.parametrize("status", [200, 301, 404, 503])
async def test_answers_are_counted_by_class(observe: Observe, series: Series, status: int) -> None:
    async def service(request: Request) -> Response:
        assert series.in_flight == 1
        return Response(status)

    assert (await apply(observe, service)(REQUEST)).status == status
    assert outcomes(series) == {f"{status // 100}xx": 1}
    assert series.in_flight == 0


async def test_the_time_is_that_of_the_call(
    observe: Observe, series: Series, clock: ManualClock
) -> None:
    async def service(request: Request) -> Response:
        await clock.sleep(0.25)
        return Response(200)

    task = asyncio.ensure_future(apply(observe, service)(REQUEST))
    await clock.advance(1.0)
    await task
    assert series.histograms[2].quantile(0.5) == pytest.approx(0.25, rel=1 / 64)


@pytest.mark.parametrize(
    ("error", "outcome"), [(ConnectError(), "error"), (ValueError(), "error"), (NotFound(), "4xx")]
)
async def test_exceptions_are_counted_and_pass(
    observe: Observe, series: Series, metrics: Metrics, error: Exception, outcome: str
) -> None:
    async def service(request: Request) -> Response:
        raise error

    with pytest.raises(type(error)):
        await apply(observe, service)(REQUEST)
    assert outcomes(series) == {outcome: 1}
    assert series.in_flight == 0
    named = [c["labels"]["exception"] for c in metrics.snapshot()["counters"]]
    assert named == ([] if isinstance(error, NotFound) else [type(error).__name__])


async def test_what_the_caller_gives_up_is_counted_apart(observe: Observe, series: Series) -> None:
    async def service(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.ensure_future(apply(observe, service)(REQUEST))
    await asyncio.sleep(0)
    assert series.in_flight == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert outcomes(series) == {"cancelled": 1}
    assert series.in_flight == 0


class TestStreams:
    """The sample of a streamed answer ends with its body."""

    async def response(self, observe: Observe, chunks: AsyncIterator[bytes]) -> Stream:
        async def service(request: Request) -> Response:
            return Response(200, body=Stream(chunks))

        body = (await apply(observe, service)(REQUEST)).body
        assert isinstance(body, Stream)
        return body

    async def test_read_to_the_end(
        self, observe: Observe, series: Series, clock: ManualClock
    ) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"a"
            await clock.sleep(2.0)
            yield b"b"

        body = await self.response(observe, chunks())
        assert series.in_flight == 1
        assert outcomes(series) == {}
        reading = asyncio.ensure_future(body.read())
        await clock.advance(2.0)
        assert await reading == b"ab"
        assert series.in_flight == 0
        assert outcomes(series) == {"2xx": 1}
        assert series.histograms[2].quantile(0.5) == pytest.approx(2.0, rel=1 / 64)

    async def test_closed_early(self, observe: Observe, series: Series) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"a"
            yield b"b"

        body = await self.response(observe, chunks())
        assert await anext(body) == b"a"
        await body.aclose()
        assert series.in_flight == 0
        assert outcomes(series) == {"2xx": 1}

    async def test_broken(self, observe: Observe, series: Series) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"a"
            raise ConnectionLost("in the middle")

        body = await self.response(observe, chunks())
        with pytest.raises(ConnectionLost):
            await body.read()
        assert series.in_flight == 0
        assert outcomes(series) == {"error": 1}


async def test_one_route_may_be_all_there_is(metrics: Metrics) -> None:
    observe = Observe(metrics, "server", "quotes", route="list_quotes")

    async def service(request: Request) -> Response:
        return Response(200)

    await apply(observe, service)(Request("GET", "/anything", route="something else"))
    assert [series.route for series in metrics] == ["list_quotes"]


async def test_too_many_routes_do_not_fill_the_memory(clock: ManualClock) -> None:
    metrics = Metrics(limit=10)
    observe = Observe(metrics, "client", "portal", "quotes", clock=clock)

    async def service(request: Request) -> Response:
        return Response(200)

    for n in range(100):
        await apply(observe, service)(Request("GET", "/", route=f"route-{n}"))
    assert metrics.series("client", "portal", OVERFLOW, OVERFLOW).count() == 90
    assert len(observe._by_route) == 10
