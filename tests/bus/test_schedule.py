from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.bus.driver import LeaseLost, Subscription
from skerry.bus.memory import Broker, Memory, MemoryDelivery
from skerry.bus.schedule import Schedule, Scheduler, Tick, cron, every
from skerry.core.clock import ManualClock
from skerry.core.errors import ConfigError

TICKS = Subscription("a.sweep", ("skerry.tick.a.sweep",))


def schedule(text: str = "10s") -> Schedule:
    return Schedule("a", "sweep", every(text), text)


def ticks(broker: Broker) -> list[float]:
    return [
        msgspec.json.decode(message.body, type=Tick).at.timestamp()
        for message in broker.published
        if message.topic == "skerry.tick.a.sweep"
    ]


@asynccontextmanager
async def instance(broker: Broker, *schedules: Schedule) -> AsyncIterator[Scheduler]:
    driver = Memory(broker)
    scheduler = Scheduler("a", driver, schedules or [schedule()], broker.clock)
    await driver.declare([scheduler.subscription, TICKS])
    scheduler.start()
    await pause(broker)
    try:
        yield scheduler
    finally:
        await scheduler.stop()
        await driver.close()


async def pause(broker: Broker, seconds: float = 0.0, step: float = 1.0) -> None:
    assert isinstance(broker.clock, ManualClock)
    await broker.clock.advance(0)
    while seconds > 0:
        await broker.clock.advance(min(step, seconds))
        seconds -= step


@pytest.fixture
def broker() -> Broker:
    return Broker(ManualClock())


async def test_many_instances_tick_once(broker: Broker) -> None:
    start = broker.clock.wall()
    async with instance(broker), instance(broker), instance(broker):
        await pause(broker, 60)
    first = (start // 10 + 1) * 10
    assert ticks(broker) == [first + 10 * n for n in range(6)]


async def test_another_leads_when_the_leader_has_gone_and_nothing_is_missed(broker: Broker) -> None:
    start = broker.clock.wall()
    async with instance(broker) as first:
        async with instance(broker):
            await pause(broker, 25)
            # A leader that dies says nothing: its token is out until the lease is over.
            assert first._task is not None
            leader = next(iter(broker.queues["a.schedules"].entries)).holder
            assert leader is not None
            for scheduler_task in [t for t in asyncio.all_tasks() if t is first._task]:
                scheduler_task.cancel()
            await pause(broker, 40)
    due = [start // 10 * 10 + 10 * n for n in range(1, 7)]
    assert ticks(broker) == due


async def test_what_passed_while_nobody_ran_is_made_up_for_once(broker: Broker) -> None:
    async with instance(broker):
        await pause(broker, 15)
    before = len(ticks(broker))
    await pause(broker, 100, step=100)
    async with instance(broker):
        await pause(broker, 1)
        made_up = ticks(broker)[before:]
        assert len(made_up) == 1
        assert broker.clock.wall() - made_up[0] <= 12
        await pause(broker, 20)
    assert len(ticks(broker)) == before + 3


async def test_a_second_token_goes_away(broker: Broker) -> None:
    async with instance(broker) as scheduler:
        await scheduler._driver.publish([scheduler._token({}), scheduler._token({})])
        await pause(broker, 30)
        assert len(broker.queues["a.schedules"].entries) == 1
    assert len(ticks(broker)) == 3


async def test_a_broker_that_is_away_delays(broker: Broker) -> None:
    async with instance(broker):
        await pause(broker, 12)
        broker.reachable = False
        await pause(broker, 25)
        broker.reachable = True
        await pause(broker, 30)
    assert len(ticks(broker)) >= 4
    assert ticks(broker) == sorted(set(ticks(broker)))


def test_intervals() -> None:
    assert every("1h30m").seconds == 5400
    assert every("250ms").seconds == 0.25
    ten = every("10m")
    assert (ten.after(0), ten.after(599.9), ten.after(600)) == (600, 600, 1200)
    assert (ten.latest(599.9), ten.latest(600), ten.latest(601)) == (0, 600, 600)
    for wrong in ("", "10", "m", "10x", "1h 30m", "1ms", "-5s"):
        with pytest.raises(ConfigError):
            every(wrong)


@given(st.floats(0, 4e9), st.sampled_from(["100ms", "300ms", "1s", "7s", "1h", "36h"]))
def test_moments_of_an_interval_follow_each_other(moment: float, text: str) -> None:
    times = every(text)
    following = times.after(moment)
    assert times.latest(moment) <= moment < following
    assert times.latest(following) == following
    assert times.after(following) > following
    assert following - times.latest(moment) == pytest.approx(times.seconds, rel=1e-5)


def test_cron() -> None:
    nightly = cron("0 3 * * *", "Europe/Berlin")
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp()
    following = nightly.after(noon)
    assert datetime.fromtimestamp(following, UTC) == datetime(2026, 7, 2, 1, tzinfo=UTC)
    assert nightly.latest(following) == following
    assert nightly.latest(following - 1) == following - 86400
    for expression, zone in (("x", "UTC"), ("0 3 * * *", "Mars/Base"), ("0 0 31 2 *", "UTC")):
        with pytest.raises(ConfigError):
            cron(expression, zone)


async def test_it_stops_also_when_its_token_is_another_leaders_by_then(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object, **__: object) -> None:
        raise LeaseLost("gone")

    async with instance(broker) as scheduler:
        held = [entry for entry in broker.queues["a.schedules"].entries if entry.holder]
        assert held  # it leads
        monkeypatch.setattr(MemoryDelivery, "retry", lost)
        async with asyncio.timeout(10):
            await scheduler.stop()
