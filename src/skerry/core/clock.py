"""Time as a thing that is passed in, so that tests own it.

Everything in Skerry that waits, measures or expires takes a ``Clock``. ``SystemClock`` is the
machine's; ``ManualClock`` stands still until a test moves it, and then wakes whoever is due,
in order.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """Something that will happen, unless it is cancelled before."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    def now(self) -> float:
        """Seconds on a clock that never goes back; only differences mean anything."""

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC, for people and for other machines."""

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        """Call ``callback`` in this event loop when ``now()`` has reached ``when``."""

    async def sleep(self, seconds: float, /) -> None: ...


class SystemClock:
    """The machine's own time.

    ``now`` is ``time.monotonic`` and not the event loop's time: uvloop's stands still between
    two turns of the loop, too coarse to measure a request by.
    """

    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)
    sleep = staticmethod(asyncio.sleep)

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        return asyncio.get_running_loop().call_later(max(0.0, when - self.now()), callback)


class ManualClock:
    """A clock that stands still until ``advance`` moves it. For tests.

    Args:
        start: what ``now`` and ``wall`` say at first, in seconds.
    """

    def __init__(self, start: float = 1_000.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._due: list[tuple[float, int, _ManualTimer]] = []

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        timer = _ManualTimer(callback)
        heapq.heappush(self._due, (when, next(self._order), timer))
        return timer

    async def sleep(self, seconds: float, /) -> None:
        done = asyncio.Event()
        timer = self.call_at(self._now + seconds, done.set)
        try:
            await done.wait()
        finally:
            timer.cancel()

    async def advance(self, seconds: float) -> None:
        """Move on by ``seconds``, stopping at each timer on the way and letting tasks run."""
        target = self._now + seconds
        await _settle()
        while self._due and self._due[0][0] <= target:
            when, _, timer = heapq.heappop(self._due)
            self._now = max(self._now, when)
            timer.fire()
            await _settle()
        self._now = target
        await _settle()


class _ManualTimer:
    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self._callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self._callback = None

    def fire(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


async def _settle(turns: int = 20) -> None:
    """Give every ready task its turn; chains of awaits settle in a few."""
    for _ in range(turns):
        await asyncio.sleep(0)


system = SystemClock()
