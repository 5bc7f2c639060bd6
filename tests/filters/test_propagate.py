from __future__ import annotations

import pytest

from skerry.core.clock import ManualClock
from skerry.core.context import Context, Trace, attach, extract
from skerry.core.service import apply
from skerry.core.wire import Headers, Request, Response
from skerry.filters.propagate import Propagate

TRACE = Trace(0xABC, 0xDEF, 1)


async def sent(propagate: Propagate, request: Request) -> Request:
    seen: list[Request] = []

    async def service(request: Request) -> Response:
        seen.append(request)
        return Response(200)

    await apply(propagate, service)(request)
    return seen[0]


async def test_the_next_app_finds_what_this_one_had(clock: ManualClock) -> None:
    attach(Context(TRACE, clock.now() + 2.0, "sheddable", {"tenant": "a b"}))
    request = Request("GET", "/quotes", headers=Headers.of({"accept": "*/*"}))
    arrived = await sent(Propagate(clock=clock), request)
    assert arrived.headers.get("accept") == "*/*"
    there = extract(arrived.headers, now=0.0)
    assert there.trace == TRACE
    assert there.deadline == pytest.approx(2.0)
    assert there.criticality == "sheddable"
    assert there.baggage == {"tenant": "a b"}


async def test_the_callers_request_stays_as_it_was(clock: ManualClock) -> None:
    attach(Context(TRACE, clock.now() + 2.0))
    request = Request("POST", "/quotes", "a=1", Headers.of({"x": "y"}), b"body", "route", {}, "me")
    arrived = await sent(Propagate(clock=clock), request)
    assert request.headers == Headers.of({"x": "y"})
    arrived.headers = request.headers
    assert arrived == request


@pytest.mark.parametrize(
    ("left", "attempt", "expected"),
    [(2.0, None, 2.0), (2.0, 5.0, 2.0), (8.0, 5.0, 5.0), (None, 5.0, 5.0), (None, None, None)],
)
async def test_the_time_told_is_that_of_the_attempt(
    clock: ManualClock, left: float | None, attempt: float | None, expected: float | None
) -> None:
    attach(Context(deadline=None if left is None else clock.now() + left))
    arrived = await sent(Propagate(attempt, clock), Request("GET", "/"))
    assert extract(arrived.headers, now=0.0).deadline == pytest.approx(expected)
