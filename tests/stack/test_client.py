from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable

import pytest

from skerry.core.clock import ManualClock
from skerry.core.context import Context, attach, extract, new_trace
from skerry.core.errors import AttemptTimeout, ConfigError, ConnectError, DeadlineExceeded
from skerry.core.instance import Address
from skerry.core.service import Service
from skerry.core.stack import Stack
from skerry.core.wire import Request, Response
from skerry.discovery.base import Hub
from skerry.filters.attempt import AttemptSettings
from skerry.filters.budget import RetryBudget
from skerry.filters.deadline import DeadlineSettings
from skerry.stack.client import (
    ClientSettings,
    Parts,
    call_stack,
    client,
    describe,
    instance_stack,
    reach,
)
from skerry.stack.server import ServerSettings, server_stack
from skerry.telemetry.metrics import Metrics, count

REQUEST = Request("GET", "/quotes", route="list_quotes")
Answer = Callable[[str, Request], Response]


class Network:
    """A transport whose instances answer as one function says."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.sent: list[tuple[str, Request]] = []
        self.seconds = 0.0
        self.clock: ManualClock | None = None

    def connect(self, address: Address, /) -> Service[Request, Response]:
        async def service(request: Request) -> Response:
            self.sent.append((address.url, request))
            if self.clock is not None:
                await self.clock.sleep(self.seconds)
            return self.answer(address.url, request)

        return service

    async def close(self) -> None:
        pass


def parts(clock: ManualClock | None = None, settings: ClientSettings | None = None) -> Parts:
    clock = clock or ManualClock()
    return Parts(
        "portal",
        "quotes",
        settings or ClientSettings(),
        Metrics(),
        RetryBudget(clock=clock),
        clock,
        random.Random(1),
    )


def stacks() -> list[Stack[Request, Response]]:
    inner = instance_stack(parts(), Address("http://a"))
    return [
        call_stack(parts()),
        inner,
        server_stack(ServerSettings(), "r", app="quotes", metrics=Metrics()),
    ]


@pytest.mark.parametrize("which", [0, 1, 2], ids=["call", "instance", "server"])
def test_swapping_any_two_slots_is_an_error(which: int) -> None:
    slots = list(stacks()[which].slots)
    for one, other in itertools.combinations(range(len(slots)), 2):
        swapped = list(slots)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        with pytest.raises(ConfigError, match="must stand below"):
            Stack(*swapped)


def test_the_order_is_the_one_of_the_architecture() -> None:
    rows = describe(parts())
    assert [row.role for row in rows if row.half == "call"] == (
        ["observe", "fallback", "cache", "collapse", "bulkhead", "deadline", "retry", "hedge"]
    )
    assert [row.role for row in rows if row.half == "between"] == ["balance"]
    assert [row.role for row in rows if row.half == "instance"] == (
        ["breaker", "attempt", "observe", "propagate", "fault", "tape", "transport"]
    )
    server = server_stack(ServerSettings(), "r", app="quotes", metrics=Metrics())
    assert [slot.role for slot in server] == (
        ["observe", "deadline", "admission", "authorise", "tape", "idempotency"]
    )


def test_every_slot_has_its_reason_and_every_filter_tells_its_settings() -> None:
    rows = describe(parts())
    assert all(len(row.because) > 20 for row in rows)
    filters = {row.role: row.filter for row in rows if row.filter}
    assert filters["deadline"] == "Deadline(timeout=10 s, idle=60 s)"
    assert filters["retry"] == "Retry(attempts=3, backoff=0.025–1 s, budget=20% + 10/s over 10 s)"
    assert filters["attempt"] == "Attempt(timeout=5 s)"
    assert filters["balance"].startswith("Balance(power of two choices, peak EWMA over 10 s")
    assert filters["breaker"].startswith("Breaker(success>=80% of 20+ over 10 s, or 5 in a row")
    assert "fallback" not in filters


def test_describing_counts_nothing() -> None:
    some = parts()
    describe(some)
    assert some.metrics.snapshot()["series"] == []


def test_a_slot_can_be_left_empty() -> None:
    settings = ClientSettings(deadline=None, retry=None, breaker=None, attempt=None)
    rows = {row.role: row.filter for row in describe(parts(settings=settings))}
    assert rows["deadline"] == rows["retry"] == rows["breaker"] == rows["attempt"] == ""


async def test_a_retry_goes_to_another_instance() -> None:
    def answer(url: str, request: Request) -> Response:
        if url == "http://a":
            raise ConnectError("refused")
        return Response(200)

    clock, network = ManualClock(), Network(answer)
    some = parts(clock)
    service, balance = client(some, Hub([Address("http://a"), Address("http://b")]), network)
    for _ in range(20):
        task = asyncio.ensure_future(service(REQUEST))
        await clock.advance(1.0)
        assert (await task).status == 200
    snapshot = some.metrics.snapshot()
    retried = some.metrics.counter("skerry_retries", app="portal", peer="quotes").value
    assert retried > 0
    assert count(snapshot, kind="client") == count(snapshot, "ok", kind="client") == 20
    assert count(snapshot, kind="attempt") == 20 + retried == len(network.sent)
    assert count(snapshot, "error", kind="attempt") == retried
    assert {one["peer"] for one in snapshot["series"]} == {"quotes"}
    assert len(balance.instances) == 2


async def test_each_attempt_tells_the_time_that_is_left() -> None:
    clock = ManualClock()
    network = Network(lambda url, request: Response(503))
    network.clock, network.seconds = clock, 1.0
    settings = ClientSettings(
        deadline=DeadlineSettings(timeout=4.0), attempt=AttemptSettings(timeout=3.5)
    )
    attach(Context(new_trace()))
    service, _ = client(parts(clock, settings), Hub([Address("http://a")]), network)
    task = asyncio.ensure_future(service(REQUEST))
    await clock.advance(10.0)
    assert (await task).status == 503
    told = [extract(request.headers, now=0.0).deadline or 0.0 for _, request in network.sent]
    assert told[0] == pytest.approx(3.5)
    assert 2.9 < told[1] < 3.0
    assert 1.8 < told[2] < 2.0
    assert REQUEST.headers.raw == []


async def test_others_need_not_be_told_anything() -> None:
    network = Network(lambda url, request: Response(200))
    some = parts(settings=ClientSettings(propagate=False))
    attach(Context(new_trace(), baggage={"tenant": "a"}))
    service, _ = client(some, Hub([Address("http://a")]), network)
    await service(REQUEST)
    assert network.sent[0][1].headers.raw == []


async def test_an_instance_that_hangs_is_left_for_another_and_then_alone() -> None:
    clock = ManualClock()
    network = Network(lambda url, request: Response(200))
    network.clock, network.seconds = clock, 60.0
    settings = ClientSettings(attempt=AttemptSettings(timeout=1.0))
    some = parts(clock, settings)
    service, balance = client(some, Hub([Address("http://a")]), network)
    tasks = [asyncio.ensure_future(service(REQUEST)) for _ in range(2)]
    await clock.advance(9.9)
    for task in tasks:
        with pytest.raises(AttemptTimeout):
            await task
    opened = some.metrics.counter("skerry_breaker_opened", app="portal", peer="quotes").value
    assert opened == 1  # five attempts had no answer, so there was no sixth
    assert balance.instances[0].outstanding == 0


async def test_the_deadline_ends_it_all() -> None:
    clock = ManualClock()
    network = Network(lambda url, request: Response(200))
    network.clock, network.seconds = clock, 60.0
    some = parts(clock)
    service, balance = client(some, Hub([Address("http://a")]), network)
    attach(Context(deadline=clock.now() + 2.0))
    task = asyncio.ensure_future(service(REQUEST))
    await clock.advance(2.0)
    with pytest.raises(DeadlineExceeded):
        await task
    snapshot = some.metrics.snapshot()
    assert count(snapshot, "error", kind="client") == 1
    assert count(snapshot, "cancelled", kind="attempt") == 1
    assert balance.instances[0].outstanding == 0


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("http://a:1", "http://a:1", "/quotes"),
        ("http://a:1/v1", "http://a:1", "/v1/quotes"),
        ("https://a/x/y/", "https://a", "/x/y/quotes"),
        ("local:a", "local:a", "/quotes"),
    ],
)
async def test_a_path_in_an_address_goes_before_that_of_requests(
    url: str, origin: str, path: str
) -> None:
    network = Network(lambda url, request: Response(200))
    await reach(network, Address(url))(REQUEST)
    assert [(where, request.path) for where, request in network.sent] == [(origin, path)]
    assert REQUEST.path == "/quotes"
