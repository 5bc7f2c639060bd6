from __future__ import annotations

import asyncio
import time

import pytest

from skerry.core.clock import ManualClock, system
from skerry.filters.timeout import TICK, Timeout, _look_around


async def forever() -> None:
    await asyncio.Event().wait()


async def test_it_expires_no_earlier_than_told_and_at_most_a_tick_late() -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        with Timeout(system.now() + 0.05):
            await forever()
    took = time.monotonic() - started
    assert 0.05 <= took < 0.05 + TICK + 0.2  # the upper bound leaves room for a busy machine


async def test_a_block_that_ends_in_time_is_left_alone() -> None:
    with Timeout(system.now() + 0.01) as timeout:
        pass
    await asyncio.sleep(0.05)
    assert not timeout.expired


async def test_a_cancellation_from_outside_stays_one() -> None:
    async def work() -> None:
        with Timeout(system.now() + 60):
            await forever()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_when_both_come_together_the_cancellation_wins() -> None:
    clock = ManualClock()

    async def work() -> None:
        with Timeout(clock.now() + 1, clock) as timeout:
            timeouts.append(timeout)
            await forever()

    timeouts: list[Timeout] = []
    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    timeouts[0].expire()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_inner_of_two_can_expire_alone() -> None:
    clock = ManualClock()
    seen: list[str] = []

    async def work() -> None:
        with Timeout(clock.now() + 10, clock):
            try:
                with Timeout(clock.now() + 1, clock):
                    await forever()
            except TimeoutError:
                seen.append("inner")
            await clock.sleep(1)
            seen.append("went on")

    task = asyncio.create_task(work())
    await clock.advance(3)
    await task
    assert seen == ["inner", "went on"]


async def test_a_shorter_limit_set_later_is_not_late() -> None:
    """The loop timer waits for the earliest bucket, also when that bucket is the newer one."""

    async def limited(seconds: float) -> float:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            with Timeout(system.now() + seconds):
                await forever()
        return time.monotonic() - started

    long = asyncio.create_task(limited(0.4))
    await asyncio.sleep(0)
    assert await limited(0.02) < 0.3
    assert await long >= 0.4


async def test_an_idle_loop_is_not_woken_for_calls_long_answered() -> None:
    for _ in range(100):
        with Timeout(system.now() + 0.02):
            pass
    await asyncio.sleep(0.1)
    wheel = _look_around()
    assert wheel._handle is None
    assert not wheel.buckets


def test_it_needs_a_task() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(outside)
        await asyncio.sleep(0.01)

    def outside() -> None:
        with pytest.raises(RuntimeError, match="needs a task"):
            Timeout(1.0).__enter__()
        seen.append(True)

    seen: list[bool] = []
    asyncio.run(main())
    assert seen


def test_loops_in_other_threads_and_loops_after_it_have_their_own() -> None:
    async def limited() -> bool:
        try:
            with Timeout(system.now() + 0.02):
                await forever()
        except TimeoutError:
            return True
        return False

    async def both() -> list[bool]:
        other = asyncio.to_thread(asyncio.run, limited())
        return list(await asyncio.gather(other, limited(), limited()))

    assert asyncio.run(both()) == [True, True, True]
    assert asyncio.run(limited())
