from __future__ import annotations

import asyncio

from skerry.core.clock import ManualClock


async def test_sleepers_wake_in_order_of_their_time() -> None:
    clock = ManualClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.now()))

    tasks = [asyncio.create_task(sleeper(n, s)) for n, s in [("b", 2), ("a", 1), ("c", 3)]]
    await clock.advance(2.5)
    assert woken == [("a", 1001.0), ("b", 1002.0)]
    await clock.advance(0.5)
    assert woken[-1] == ("c", 1003.0)
    await asyncio.gather(*tasks)


async def test_what_is_set_while_moving_is_reached_as_well() -> None:
    clock = ManualClock()
    ticks: list[float] = []

    async def every_second() -> None:
        while True:
            await clock.sleep(1)
            ticks.append(clock.now())

    task = asyncio.create_task(every_second())
    await clock.advance(5)
    task.cancel()
    assert ticks == [1001.0, 1002.0, 1003.0, 1004.0, 1005.0]


async def test_a_cancelled_timer_does_not_fire() -> None:
    clock = ManualClock()
    fired: list[int] = []
    clock.call_at(1001, lambda: fired.append(1)).cancel()
    clock.call_at(1001, lambda: fired.append(2))
    await clock.advance(1)
    assert fired == [2]
