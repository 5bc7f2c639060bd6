"""Schedules: how often, not over itself, by one instance; and what is counted."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from skerry import ManualClock, journey, step
from skerry.journeys.archive import Archive
from skerry.journeys.declare import Journey
from skerry.journeys.place import Place, reach
from skerry.journeys.prober import Busy, Prober
from skerry.telemetry.metrics import Metrics


@pytest.fixture
async def nowhere() -> AsyncIterator[Place]:
    place = reach(environ={})
    yield place
    await place.close()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.to_thread(time.sleep, 0.005)


@asynccontextmanager
async def probing(
    place: Place, folder: Path, *journeys: Journey, metrics: Metrics | None = None
) -> AsyncIterator[tuple[Prober, ManualClock]]:
    clock = ManualClock()
    archive = Archive(folder)
    rng = random.Random(7)
    prober = Prober(journeys, place, archive, metrics or Metrics(), clock, rng)
    prober.start()
    try:
        yield prober, clock
    finally:
        await prober.stop()


async def pass_until(clock: ManualClock, true: Callable[[], object]) -> None:
    """Let time pass until something is so; a little of the machine's for each little of it."""
    async with asyncio.timeout(20):
        while not true():
            await clock.advance(0.1)
            await asyncio.sleep(0.002)


async def test_as_often_as_it_says(nowhere: Place, tmp_path: Path) -> None:
    moments: list[float] = []

    @journey(every="10s")
    async def often() -> None:
        moments.append(clock.wall())

    @journey
    async def by_hand() -> None:
        raise AssertionError("nobody asked for it")

    async with probing(nowhere, tmp_path, often, by_hand) as (prober, clock):
        began = clock.wall()
        await pass_until(clock, lambda: len(moments) == 5)
        assert 0 <= moments[0] - began <= 6
        pauses = [later - earlier for earlier, later in pairwise(moments)]
        assert all(8.9 <= pause <= 13 for pause in pauses)  # a tenth of jitter, and this test's
        assert len({round(pause, 3) for pause in pauses}) > 1
        await until(lambda: len(prober.archive.runs("often")) == 5)
        await until(lambda: _left(prober, clock) > 5)
        assert prober.next("by_hand") is None
        assert prober.archive.runs("by_hand") == []


def _left(prober: Prober, clock: ManualClock) -> float:
    moment = prober.next("often")
    assert moment is not None
    return moment.timestamp() - clock.wall()


async def test_never_over_itself(nowhere: Place, tmp_path: Path) -> None:
    running, most = 0, 0
    release = asyncio.Event()

    @journey(every="1s")
    async def long() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await release.wait()
        running -= 1

    async with probing(nowhere, tmp_path, long) as (prober, clock):
        await pass_until(clock, lambda: running == 1)
        assert prober.is_running("long")
        await clock.advance(30)
        with pytest.raises(Busy):
            await prober.run("long")
        assert (running, most) == (1, 1)
        release.set()
        await pass_until(clock, lambda: len(prober.archive.runs("long")) >= 2)
    assert most == 1


async def test_one_of_two_instances_runs_them(nowhere: Place, tmp_path: Path) -> None:
    @journey(every="1s")
    async def often() -> None: ...

    async with probing(nowhere, tmp_path, often) as (first, clock):
        await pass_until(clock, lambda: len(first.archive.runs("often")) == 1)
        async with probing(nowhere, tmp_path, often) as (second, others):
            due = {second.next("often")}

            def has_been_due() -> bool:
                due.add(second.next("often"))
                return len(due) > 3

            await pass_until(others, has_been_due)
            assert len(second.archive.runs("often")) == 1  # the first one's
            await first.stop()
            await pass_until(others, lambda: len(second.archive.runs("often")) == 2)


async def test_what_is_counted(nowhere: Place, tmp_path: Path) -> None:
    metrics = Metrics()
    fails = False

    @journey
    async def pay() -> None:
        with step("quote"):
            pass
        with step("pay"):
            if fails:
                raise ValueError("x")

    async with probing(nowhere, tmp_path, pay, metrics=metrics) as (prober, _):
        assert 'skerry_journey_runs_total{journey="pay",outcome="failed"} 0' in metrics.prometheus()
        assert (await prober.run("pay")).ok
        fails = True
        assert not (await prober.run("pay")).ok
    text = metrics.prometheus()
    lines = set(text.splitlines())
    assert 'skerry_journey_runs_total{journey="pay",outcome="ok"} 1' in lines
    assert 'skerry_journey_runs_total{journey="pay",outcome="failed"} 1' in lines
    assert 'skerry_journeys_in_flight{app="journeys",route="pay",peer=""} 0' in lines
    counted = [
        ("", 'outcome="ok",status="2xx"', 1),
        ("", 'outcome="error",status=""', 1),
        ("quote", 'outcome="ok",status="2xx"', 2),
        ("pay", 'outcome="error",status=""', 1),
    ]
    for name, outcome, number in counted:
        labels = f'app="journeys",route="pay",peer="{name}",{outcome}'
        assert f"skerry_journey_duration_seconds_count{{{labels}}} {number}" in lines


async def test_a_run_that_cannot_be_kept_is_not_the_last(
    nowhere: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @journey(every="1s")
    async def often() -> None: ...

    def full(self: Archive, result: object) -> None:
        nonlocal refused
        refused += 1
        raise OSError("no space left on device")

    refused = 0
    monkeypatch.setattr(Archive, "add", full)
    async with probing(nowhere, tmp_path, often) as (_, clock):
        await pass_until(clock, lambda: refused >= 2)


async def test_nothing_runs_before_the_fleet_has_started(nowhere: Place, tmp_path: Path) -> None:
    ran = asyncio.Event()

    @journey(every="1s")
    async def quick() -> None:
        ran.set()

    clock, started = ManualClock(), asyncio.Event()
    prober = Prober([quick], nowhere, Archive(tmp_path), Metrics(), clock, random.Random(7))
    prober.start(started.wait())
    try:
        for _ in range(50):
            await clock.advance(0.5)
        assert not ran.is_set() and prober.next("quick") is None
        assert (await prober.run("quick")).ok  # by hand, whoever wants to
        ran.clear()
        started.set()
        await pass_until(clock, ran.is_set)
    finally:
        await prober.stop()


async def test_a_run_that_is_under_way_can_be_looked_at(nowhere: Place, tmp_path: Path) -> None:
    go = asyncio.Event()

    @journey
    async def slow() -> None:
        with step("wait"):
            await go.wait()

    async with probing(nowhere, tmp_path, slow) as (prober, _):
        assert prober.live("slow") is None
        running = asyncio.create_task(prober.run("slow"))
        await until(lambda: (live := prober.live("slow")) is not None and live.tell().steps)
        live = prober.live("slow")
        assert live is not None
        assert [(one.name, one.state) for one in live.tell().steps] == [("wait", "open")]
        go.set()
        await running
        assert prober.live("slow") is None
