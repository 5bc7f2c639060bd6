from __future__ import annotations

import asyncio

import pytest

from skerry.core.clock import ManualClock
from skerry.core.context import Context, attach
from skerry.core.errors import AttemptTimeout, DeadlineExceeded, Retry
from skerry.core.service import apply
from skerry.core.wire import Request, Response
from skerry.filters.attempt import Attempt, AttemptSettings
from skerry.filters.deadline import ClientDeadline, DeadlineSettings

REQUEST = Request("GET", "/quotes")


async def call(clock: ManualClock, took: float, *, seconds: float = 1.0) -> Response:
    async def service(request: Request) -> Response:
        await clock.sleep(took)
        return Response(200)

    attempt = Attempt(AttemptSettings(timeout=seconds), "quotes", clock)
    task = asyncio.ensure_future(apply(attempt, service)(REQUEST))
    await clock.advance(took + seconds)
    return await task


async def test_in_time(clock: ManualClock) -> None:
    assert (await call(clock, 0.9)).status == 200


async def test_too_late(clock: ManualClock) -> None:
    with pytest.raises(AttemptTimeout, match=r"quotes: .*after 1 s") as caught:
        await call(clock, 1.1)
    assert caught.value.retry is Retry.REPEATABLE


async def test_an_earlier_deadline_is_left_to_its_own_filter(clock: ManualClock) -> None:
    attach(Context(deadline=clock.now() + 0.5))
    assert (await call(clock, 2.0)).status == 200


@pytest.mark.parametrize(
    ("attempt", "error"), [(1.0, AttemptTimeout), (3.0, DeadlineExceeded), (2.0, DeadlineExceeded)]
)
async def test_below_a_deadline_the_earlier_one_speaks(
    clock: ManualClock, attempt: float, error: type[Exception]
) -> None:
    async def service(request: Request) -> Response:
        await clock.sleep(60.0)
        return Response(200)

    inner = apply(Attempt(AttemptSettings(timeout=attempt), clock=clock), service)
    outer = apply(ClientDeadline(DeadlineSettings(timeout=2.0), clock=clock), inner)
    task = asyncio.ensure_future(outer(REQUEST))
    await clock.advance(5.0)
    with pytest.raises(error):
        await task


async def test_a_timeout_of_someone_else_passes(clock: ManualClock) -> None:
    async def service(request: Request) -> Response:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await apply(Attempt(AttemptSettings(), clock=clock), service)(REQUEST)
