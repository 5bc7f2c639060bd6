from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from msgspec import json

from skerry.core.clock import ManualClock
from skerry.core.errors import ConnectError, ConnectionLost
from skerry.core.instance import Address
from skerry.core.wire import Request, Response, Stream
from skerry.discovery.fleet import FleetDiscovery

ONE = Address("http://127.0.0.1:1", "quotes-1")
TWO = Address("http://127.0.0.1:2", "quotes-2")


def line(*addresses: Address) -> bytes:
    return json.encode({"apps": {"quotes": addresses}}) + b"\n"


class Control:
    """A control API that says what it is told, and can go away."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.there = True
        self.opened: list[float] = []
        self.reading = 0

    async def __call__(self, request: Request) -> Response:
        assert (request.method, request.path) == ("GET", "/registry")
        self.opened.append(self.clock.now())
        if not self.there:
            raise ConnectError("no such socket")
        return Response(200, body=Stream(self.lines()))

    async def lines(self) -> AsyncIterator[bytes]:
        self.reading += 1
        try:
            while (chunk := await self.queue.get()) is not None:
                yield chunk
            raise ConnectionLost("the supervisor is gone")
        finally:
            self.reading -= 1

    async def say(self, *chunks: bytes | None) -> None:
        for chunk in chunks:
            self.queue.put_nowait(chunk)
        await self.clock.advance(0.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def control(clock: ManualClock) -> Control:
    return Control(clock)


@pytest.fixture
async def fleet(control: Control, clock: ManualClock) -> AsyncIterator[FleetDiscovery]:
    fleet = FleetDiscovery(control, clock, random.Random(1))
    yield fleet
    await fleet.close()
    assert control.reading == 0


async def test_changes_reach_the_watch(fleet: FleetDiscovery, control: Control) -> None:
    watch, heard = fleet.watch("quotes"), list[tuple[Address, ...]]()
    watch.subscribe(heard.append)
    assert watch.current == ()
    assert not watch.fixed
    await control.say(line(ONE))
    await control.say(line(TWO, ONE), line(TWO, ONE))
    await control.say(line())
    assert heard == [(ONE,), (ONE, TWO), ()]
    assert len(control.opened) == 1


async def test_a_later_watch_knows_at_once(fleet: FleetDiscovery, control: Control) -> None:
    fleet.watch("quotes")
    await control.say(line(ONE))
    assert fleet.watch("quotes").current == (ONE,)
    assert fleet.watch("schools").current == ()
    assert "schools" in fleet.watch("schools").why_empty()
    assert len(control.opened) == 1


async def test_lines_come_in_any_pieces(fleet: FleetDiscovery, control: Control) -> None:
    watch = fleet.watch("quotes")
    text = line(ONE) + b"\n" + line(ONE, TWO)
    await control.say(*(text[i : i + 7] for i in range(0, len(text), 7)))
    assert watch.current == (ONE, TWO)


async def test_what_was_known_last_stays_known(
    fleet: FleetDiscovery, control: Control, clock: ManualClock
) -> None:
    watch = fleet.watch("quotes")
    await control.say(line(ONE))
    control.there = False
    await control.say(None)
    await clock.advance(60.0)
    assert watch.current == (ONE,)
    assert fleet.watch("quotes").current == (ONE,)
    control.there = True
    await clock.advance(5.0)
    await control.say(line(TWO))
    assert watch.current == (TWO,)


async def test_pauses_grow_while_nobody_is_there(
    fleet: FleetDiscovery, control: Control, clock: ManualClock
) -> None:
    control.there = False
    fleet.watch("quotes")
    await clock.advance(60.0)
    pauses = [b - a for a, b in zip(control.opened, control.opened[1:], strict=False)]
    limits = [min(5.0, 0.05 * 2**n) for n in range(len(pauses))]
    for pause, limit in zip(pauses, limits, strict=True):
        assert limit / 2 <= pause <= limit
    assert len(pauses) > 15


@pytest.mark.parametrize("chunk", [b"not json\n", b'{"apps": 3}\n', b"\xff\xfe\n"])
async def test_nonsense_is_asked_for_again(
    fleet: FleetDiscovery, control: Control, clock: ManualClock, chunk: bytes
) -> None:
    watch = fleet.watch("quotes")
    await control.say(line(ONE))
    await control.say(chunk)
    assert watch.current == (ONE,)
    await clock.advance(1.0)
    await control.say(line(TWO))
    assert watch.current == (TWO,)


async def test_an_answer_that_is_no_registry_is_asked_for_again(clock: ManualClock) -> None:
    calls = 0

    async def control(request: Request) -> Response:
        nonlocal calls
        calls += 1
        return Response(503, body=b'{"title": "starting"}')

    fleet = FleetDiscovery(control, clock, random.Random(1))
    fleet.watch("quotes")
    await clock.advance(1.0)
    assert calls > 3
    await fleet.close()


async def test_members_that_are_not_known_yet_are_no_error(
    fleet: FleetDiscovery, control: Control
) -> None:
    watch = fleet.watch("quotes")
    await control.say(
        b'{"apps": {"quotes": [{"url": "http://127.0.0.1:1", "id": "quotes-1", "zone": "a"}]},'
        b' "version": 3}\n'
    )
    assert watch.current == (ONE,)


async def test_after_closing_it_may_be_used_again(fleet: FleetDiscovery, control: Control) -> None:
    fleet.watch("quotes")
    await control.say(line(ONE))
    await fleet.close()
    assert control.reading == 0
    watch = fleet.watch("quotes")
    await control.say(line(TWO))
    assert watch.current == (TWO,)
