from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest

from skerry.core.clock import ManualClock
from skerry.core.errors import BreakerOpen, ConnectError, NoInstance
from skerry.core.instance import Address, Instance, Status
from skerry.core.wire import Request, Response, Stream
from skerry.discovery.base import Hub
from skerry.filters.balance import Balance, BalanceSettings, Candidate, Guarded

REQUEST = Request("GET", "/quotes")


def addresses(*names: str) -> list[Address]:
    return [Address(f"http://{name}", name) for name in names]


class Fleet:
    """Instances that take as long, and end as, they are told; and a balancer in front."""

    def __init__(self, clock: ManualClock, *names: str, wait: float = 1.0) -> None:
        self.clock = clock
        self.hub = Hub(addresses(*names), why_empty="nobody is there")
        self.seconds: dict[str, Callable[[], float]] = {}
        self.endings: dict[str, Response | BaseException] = {}
        self.statuses: dict[str, Status] = {}
        self.calls: Counter[str] = Counter()
        self.balance = Balance(
            self.hub, self.make, BalanceSettings(wait=wait), "quotes", clock, random.Random(5)
        )

    def make(self, address: Address) -> Guarded:
        fleet, name = self, address.id

        class Guard:
            @property
            def status(self) -> Status:
                return fleet.statuses.get(name, Status.OPEN)

        async def service(request: Request) -> Response:
            self.calls[name] += 1
            await self.clock.sleep(self.seconds.get(name, lambda: 0.010)())
            ending = self.endings.get(name, Response(200))
            if isinstance(ending, BaseException):
                raise ending
            return ending

        return Guarded(service, Guard())

    def candidate(self, name: str) -> Candidate:
        return next(
            candidate for candidate in self.balance.instances if candidate.address.id == name
        )

    async def offer(self, per_second: float, seconds: float) -> None:
        """Open load: calls come when they come, whatever becomes of those before."""
        tasks = []
        for _ in range(int(per_second * seconds)):
            tasks.append(asyncio.ensure_future(self.balance(REQUEST)))
            await self.clock.advance(1.0 / per_second)
        await self.clock.advance(60.0)
        await asyncio.gather(*tasks, return_exceptions=True)

    def share(self, name: str) -> float:
        return self.calls[name] / self.calls.total()


class TestSharing:
    async def test_equals_get_equal_shares(self, clock: ManualClock) -> None:
        fleet = Fleet(clock, "a", "b", "c", "d")
        await fleet.offer(200, 10)
        for name in "abcd":
            assert 0.2 < fleet.share(name) < 0.3

    async def test_a_slow_instance_gets_few_calls(self, clock: ManualClock) -> None:
        fleet = Fleet(clock, "a", "b", "c", "slow")
        fleet.seconds["slow"] = lambda: 0.200
        await fleet.offer(200, 10)
        assert 0 < fleet.calls["slow"] < 20
        assert fleet.share("slow") < 0.02

    async def test_an_instance_that_becomes_slow_is_noticed_with_its_first_answer(
        self, clock: ManualClock
    ) -> None:
        fleet = Fleet(clock, "a", "b", "c")
        await fleet.offer(200, 5)
        assert fleet.share("c") > 0.25
        fleet.seconds["c"] = lambda: 1.0
        fleet.calls.clear()
        await fleet.offer(200, 5)
        assert fleet.share("c") < 0.02

    async def test_one_that_has_recovered_gets_its_share_again(self, clock: ManualClock) -> None:
        fleet = Fleet(clock, "a", "b", "c")
        fleet.seconds["c"] = lambda: 1.0
        await fleet.offer(200, 5)
        del fleet.seconds["c"]
        await clock.advance(60.0)
        fleet.calls.clear()
        await fleet.offer(200, 10)
        assert fleet.share("c") > 0.25

    @pytest.mark.parametrize("ending", [Response(500), Response(503), ConnectError()])
    async def test_failing_fast_attracts_no_calls(
        self, clock: ManualClock, ending: Response | BaseException
    ) -> None:
        fleet = Fleet(clock, "a", "b", "c")
        fleet.seconds["c"] = lambda: 0.0001
        fleet.endings["c"] = ending
        await fleet.offer(200, 10)
        assert fleet.share("c") < 0.02

    async def test_an_instance_that_hangs_fills_up_no_further(self, clock: ManualClock) -> None:
        fleet = Fleet(clock, "a", "b", "c")
        await fleet.offer(200, 2)
        fleet.calls.clear()
        fleet.seconds["c"] = lambda: 30.0
        await fleet.offer(200, 10)
        assert fleet.share("c") < 0.10

    async def test_the_same_seed_chooses_the_same(self) -> None:
        async def calls() -> Counter[str]:
            fleet = Fleet(ManualClock(), "a", "b", "c")
            await fleet.offer(100, 2)
            return fleet.calls

        assert await calls() == await calls()


class TestStatus:
    @pytest.mark.parametrize(
        ("statuses", "chosen"),
        [
            ({"a": Status.OPEN, "b": Status.BUSY, "c": Status.CLOSED}, {"a"}),
            ({"a": Status.CLOSED, "b": Status.BUSY, "c": Status.CLOSED}, {"b"}),
            ({"a": Status.OPEN, "b": Status.CLOSED, "c": Status.OPEN}, {"a", "c"}),
            ({"a": Status.CLOSED, "b": Status.CLOSED, "c": Status.CLOSED}, {"a", "b", "c"}),
        ],
    )
    async def test_the_best_there_is(
        self, clock: ManualClock, statuses: dict[str, Status], chosen: set[str]
    ) -> None:
        fleet = Fleet(clock, "a", "b", "c")
        fleet.statuses = statuses
        await fleet.offer(100, 2)
        assert set(fleet.calls) == chosen

    async def test_one_that_may_be_asked_again_is_asked_soon(self, clock: ManualClock) -> None:
        fleet = Fleet(clock, "a", "b", "c")
        await fleet.offer(100, 1)
        fleet.endings["c"] = ConnectError()
        fleet.statuses["c"] = Status.CLOSED
        with pytest.raises(ConnectError):
            task = asyncio.ensure_future(fleet.candidate("c")(REQUEST))
            await clock.advance(1.0)
            await task
        del fleet.statuses["c"]
        fleet.calls.clear()
        await fleet.offer(100, 0.1)
        assert fleet.calls["c"] >= 1

    async def test_what_a_breaker_refused_says_nothing_of_speed(self, clock: ManualClock) -> None:
        fleet = Fleet(clock, "a")
        fleet.endings["a"] = BreakerOpen()
        task = asyncio.ensure_future(fleet.balance(REQUEST))
        await clock.advance(1.0)
        with pytest.raises(BreakerOpen):
            await task
        assert fleet.candidate("a").load == 0.0


class TestComingAndGoing:
    async def test_a_new_instance_gets_one_call_to_be_known_by(self, clock: ManualClock) -> None:
        fleet = Fleet(clock, "a", "b")
        await fleet.offer(100, 2)
        fleet.seconds["new"] = lambda: 5.0
        fleet.hub.set(addresses("a", "b", "new"))
        fleet.calls.clear()
        tasks = []
        for _ in range(100):
            tasks.append(asyncio.ensure_future(fleet.balance(REQUEST)))
            await clock.advance(0.01)
        assert fleet.calls["new"] == 1
        await clock.advance(10.0)
        await asyncio.gather(*tasks)

    async def test_one_that_leaves_finishes_what_it_has(self, clock: ManualClock) -> None:
        fleet = Fleet(clock, "a", "b")
        fleet.seconds["a"] = lambda: 3.0
        candidate = fleet.candidate("a")
        task = asyncio.ensure_future(candidate(REQUEST))
        await clock.advance(1.0)
        fleet.hub.set(addresses("b"))
        closing = asyncio.ensure_future(candidate.close())
        await clock.advance(1.0)
        assert candidate.outstanding == 1
        assert not closing.done()
        fleet.calls.clear()
        await fleet.offer(100, 1)
        assert set(fleet.calls) == {"b"}
        assert (await task).status == 200
        await closing

    async def test_those_that_stay_keep_what_is_known_of_them(self, clock: ManualClock) -> None:
        fleet = Fleet(clock, "a", "b")
        candidate = fleet.candidate("a")
        fleet.hub.set([*addresses("c"), Address("http://a", "another id")])
        assert candidate in fleet.balance.instances
        assert len(fleet.balance.instances) == 2

    async def test_the_same_address_twice_is_one_instance(self, clock: ManualClock) -> None:
        fleet = Fleet(clock, "a")
        fleet.hub.set(addresses("a", "a"))
        assert len(fleet.balance.instances) == 1

    async def test_none_at_all_is_waited_for(self, clock: ManualClock) -> None:
        fleet = Fleet(clock)
        task = asyncio.ensure_future(fleet.balance(REQUEST))
        await clock.advance(0.5)
        fleet.hub.set(addresses("a"))
        await clock.advance(0.1)
        assert (await task).status == 200

    async def test_but_not_for_long(self, clock: ManualClock) -> None:
        fleet = Fleet(clock)
        task = asyncio.ensure_future(fleet.balance(REQUEST))
        await clock.advance(0.9)
        assert not task.done()
        await clock.advance(0.2)
        with pytest.raises(NoInstance, match="quotes: nobody is there"):
            await task
        assert not fleet.balance._waiting

    async def test_and_not_where_none_can_come(self, clock: ManualClock) -> None:
        balance = Balance(Hub(fixed=True), Fleet(clock).make, BalanceSettings(), clock=clock)
        with pytest.raises(NoInstance):
            await balance(REQUEST)

    async def test_after_closing_there_is_none(self, clock: ManualClock) -> None:
        fleet = Fleet(clock, "a", wait=0.0)
        fleet.balance.close()
        fleet.hub.set(addresses("a", "b"))
        with pytest.raises(NoInstance):
            await fleet.balance(REQUEST)


class TestOutstanding:
    async def test_a_body_is_under_way_until_it_ends(self, clock: ManualClock) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"x"

        fleet = Fleet(clock, "a")
        fleet.endings["a"] = Response(200, body=Stream(chunks()))
        task = asyncio.ensure_future(fleet.balance(REQUEST))
        await clock.advance(0.01)
        body = (await task).body
        assert isinstance(body, Stream)
        candidate = fleet.candidate("a")
        assert candidate.outstanding == 1
        assert candidate.load == pytest.approx(0.02)
        await body.read()
        assert candidate.outstanding == 0

    @pytest.mark.parametrize("ending", [ConnectError(), ValueError()])
    async def test_a_failure_is_not_under_way(self, clock: ManualClock, ending: Exception) -> None:
        fleet = Fleet(clock, "a")
        fleet.endings["a"] = ending
        task = asyncio.ensure_future(fleet.balance(REQUEST))
        await clock.advance(0.01)
        with pytest.raises(type(ending)):
            await task
        assert fleet.candidate("a").outstanding == 0

    async def test_what_is_given_up_counts_as_slow(self, clock: ManualClock) -> None:
        fleet = Fleet(clock, "a")
        fleet.seconds["a"] = lambda: 60.0
        task = asyncio.ensure_future(fleet.balance(REQUEST))
        await clock.advance(2.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert fleet.candidate("a").outstanding == 0
        assert fleet.candidate("a").load == pytest.approx(2.0)


def test_a_candidate_is_an_instance(clock: ManualClock) -> None:
    instance: Instance[Request, Response] = Fleet(clock, "a").candidate("a")
    assert instance.status is Status.OPEN
    assert instance.address == Address("http://a", "a")
