"""A run as it goes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from skerry import journey, step
from skerry.core.clock import ManualClock
from skerry.journeys.live import Both, Live, LiveStep
from skerry.journeys.model import StepResult
from skerry.journeys.perform import perform
from skerry.journeys.place import reach


async def test_open_steps_take_as_long_as_they_have_taken_so_far() -> None:
    clock = ManualClock()
    live = Live(clock)
    whole, part = StepResult("pay", at=5.0), StepResult("ask", depth=1, at=6.0)
    live.began(whole)
    await clock.advance(1.0)
    live.began(part)
    await clock.advance(0.5)
    part.ms, part.ok = 500.0, True
    live.ended(part)
    assert live.tell().steps == [
        LiveStep("pay", 0, "open", 5.0, 1500.0),
        LiveStep("ask", 1, "ok", 6.0, 500.0),
    ]
    whole.ms = 1501.0
    live.ended(whole)
    assert [one.state for one in live.tell().steps] == ["failed", "ok"]


async def test_steps_say_when_in_the_run_they_began(tmp_path: Path) -> None:
    @journey
    async def walk() -> None:
        """Two steps, and a third within the second."""
        with step("first"):
            await asyncio.sleep(0.02)
        with step("second"), step("third"):
            await asyncio.sleep(0.01)

    place, live, other = reach(environ={}), Live(), Live()
    try:
        result = await perform(walk, place, folder=tmp_path, watcher=Both(live, other))
    finally:
        await place.close()
    first, second, third = result.steps
    assert 0 <= first.at < first.at + first.ms <= second.at <= third.at
    assert third.at + third.ms <= second.at + second.ms + 0.01  # both are rounded
    assert second.at + second.ms <= result.duration * 1000 + 0.01
    assert live.tell().steps == other.tell().steps
    assert [one.name for one in live.tell().steps] == ["first", "second", "third"]
