"""Steps: their time, their limits, and that they do no harm outside of a run."""

from __future__ import annotations

import asyncio

import pytest

from skerry import current, step


def test_outside_of_a_run_a_step_is_only_timed() -> None:
    before = current()
    with step("a") as result:
        assert current() == before
    assert result.ok
    assert result.ms >= 0
    with pytest.raises(ValueError, match="x"), step("b") as result:
        raise ValueError("x")
    assert (result.ok, result.error) == (False, "x")


async def test_a_limit_interrupts() -> None:
    with pytest.raises(TimeoutError, match=r"'wait' took longer than 0\.05 s"):
        with step("wait", within=0.05) as result:
            await asyncio.sleep(60)
    assert not result.ok
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)  # and the task goes on


async def test_a_limit_that_is_kept_does_nothing() -> None:
    with step("quick", within=60) as result:
        await asyncio.sleep(0)
    assert result.ok


async def test_a_limit_does_not_swallow_somebody_elses_cancellation() -> None:
    async def work() -> None:
        with step("wait", within=60):
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_exception_under_a_limit_is_itself() -> None:
    with pytest.raises(ValueError, match="x"), step("wait", within=60):
        raise ValueError("x")


async def test_the_inner_limit_is_the_inner_steps() -> None:
    with step("outer", within=60) as outer:
        with pytest.raises(TimeoutError, match="inner"), step("inner", within=0.05):
            await asyncio.sleep(60)
    assert outer.ok


def test_a_limit_is_for_coroutines() -> None:
    with pytest.raises(RuntimeError), step("a", within=1):
        pass


async def test_slow_is_told_and_no_failure() -> None:
    with step("a", slow=0.01) as slow:
        await asyncio.sleep(0.02)
    with step("b", slow=60) as quick:
        pass
    assert (slow.ok, slow.slow) == (True, True)
    assert (quick.ok, quick.slow) == (True, False)
