from __future__ import annotations

import random

import pytest

from skerry.core.clock import ManualClock
from skerry.core.errors import ConfigError
from skerry.core.instance import Address, Status
from skerry.core.service import Service
from skerry.core.stack import Slot, Stack
from skerry.core.wire import Request, Response
from skerry.discovery.base import Hub
from skerry.filters.budget import RetryBudget
from skerry.stack.client import ClientSettings, Parts, check, client, describe
from skerry.stack.edit import Edit
from skerry.stack.rows import rows
from skerry.stack.server import ServerSettings, server_stack
from skerry.telemetry.metrics import Metrics

Wire = Stack[Request, Response]
REQUEST = Request("GET", "/quotes", route="list_quotes")


async def stale(request: Request, service: Service[Request, Response]) -> Response:
    response = await service(request)
    return response if response.status < 500 else Response(200, body=b"yesterday's")


def parts(settings: ClientSettings) -> Parts:
    clock = ManualClock()
    budget = RetryBudget(clock=clock)
    return Parts("portal", "quotes", settings, Metrics(), budget, clock, random.Random(1))


class Network:
    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.sent: list[tuple[str, Request]] = []

    def connect(self, address: Address, /) -> Service[Request, Response]:
        async def service(request: Request) -> Response:
            self.sent.append((address.url, request))
            return Response(self.status)

        return service

    async def close(self) -> None:
        pass


async def test_a_place_that_is_kept_can_be_filled() -> None:
    settings = ClientSettings(edit_call=lambda stack: stack.put("fallback", stale))
    service, _ = client(parts(settings), Hub([Address("http://a")]), Network(500))
    assert (await service(REQUEST)).body == b"yesterday's"


async def test_what_is_made_inside_an_edit_is_of_one_instance() -> None:
    class Seen:
        def __init__(self) -> None:
            self.requests = 0
            every.append(self)

        async def __call__(
            self, request: Request, service: Service[Request, Response], /
        ) -> Response:
            self.requests += 1
            return await service(request)

    def seen(stack: Wire) -> Wire:
        return stack.insert(Slot("seen", "it sees what is sent", filter=Seen()), after="attempt")

    every: list[Seen] = []
    settings = ClientSettings(edit_instance=seen)
    hub = Hub([Address("http://a"), Address("http://b")])
    service, _ = client(parts(settings), hub, Network())
    for _ in range(10):
        await service(REQUEST)
    assert len(every) == 2
    assert sum(one.requests for one in every) == 10
    assert all(one.requests for one in every)


async def test_the_balancer_looks_at_a_breaker_of_ones_own() -> None:
    class Shut:
        status = Status.BUSY

        async def __call__(
            self, request: Request, service: Service[Request, Response], /
        ) -> Response:
            return await service(request)

    settings = ClientSettings(edit_instance=lambda stack: stack.put("breaker", Shut()))
    _, balance = client(parts(settings), Hub([Address("http://a")]), Network())
    assert balance.instances[0].status is Status.BUSY
    bare = ClientSettings(edit_instance=lambda stack: stack.put("breaker", stale))
    _, balance = client(parts(bare), Hub([Address("http://a")]), Network())
    assert balance.instances[0].status is Status.OPEN


async def test_a_server_is_edited_likewise() -> None:
    async def refuse(request: Request, service: Service[Request, Response]) -> Response:
        return Response(403)

    async def endpoint(request: Request) -> Response:
        return Response(200)

    settings = ServerSettings(edit=lambda stack: stack.put("authorise", refuse))
    stack = server_stack(settings, "r", app="quotes", metrics=Metrics())
    assert (await stack.build(endpoint)(REQUEST)).status == 403


def test_what_is_edited_is_shown() -> None:
    settings = ClientSettings(edit_call=lambda stack: stack.put("fallback", stale))
    shown = {row.role: row.filter for row in describe(parts(settings))}
    assert shown["fallback"] == f"{__name__}.stale"

    class Empty:
        """A filter that is false: it has nothing in it."""

        def __len__(self) -> int:
            return 0

        def __repr__(self) -> str:
            return "Cache(0 answers)"

        async def __call__(
            self, request: Request, service: Service[Request, Response], /
        ) -> Response:
            return await service(request)

    slot: Slot[Request, Response] = Slot("cache", "hits cost nothing", filter=Empty())
    assert rows("call", Stack(slot))[0].filter == "Cache(0 answers)"


def nothing(stack: Wire) -> None:
    stack.put("retry", None)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda stack: stack.put("retyr", None), "no slot named 'retyr'. Did you mean 'retry'?"),
        (
            lambda stack: stack.insert(
                Slot("mine", "so that it sees retries", below=("retry",)), after="deadline"
            ),
            "'mine' must stand below 'retry' in the stack: so that it sees retries",
        ),
        (nothing, "nothing must return the stack that it makes, not None"),
    ],
)
def test_an_edit_that_goes_wrong_says_so_before_the_first_call(edit: Edit, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check(ClientSettings(edit_call=edit))
    assert message in str(raised.value)
