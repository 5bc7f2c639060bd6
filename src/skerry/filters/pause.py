"""Stops handling events while what their handler depends on does not answer.

An event that fails because another app is down has not had its chance: five such failures in
a minute would bury it, and a queue of thousands with it. So a handler that finds a breaker open,
or nobody to call, burns no attempt; it is paused, tried with one event after a while, and goes
on with all when that one gets through.
"""

from __future__ import annotations

import asyncio

from skerry.bus.attempt import Attempt, Paused
from skerry.core.clock import Clock, system
from skerry.core.errors import BreakerOpen, BusUnavailable, CallError, ConnectError, NoInstance
from skerry.core.service import Service
from skerry.telemetry.metrics import Metrics

_NOBODY_THERE = (BreakerOpen, NoInstance, ConnectError, BusUnavailable)


class Pause:
    """One per handler and instance.

    Args:
        first: seconds of the first pause, doubled by each probe that fails.
        longest: seconds at most.
    """

    def __init__(
        self,
        handler: str,
        first: float = 1.0,
        longest: float = 30.0,
        *,
        metrics: Metrics | None = None,
        clock: Clock = system,
    ) -> None:
        self._gauge = (metrics or Metrics()).gauge(
            "skerry_handler_paused",
            "Instances in which a handler is paused, because nobody answers whom it calls.",
            handler=handler,
        )
        self._gauge.set(0)
        self._first = first
        self._longest = longest
        self._clock = clock
        self._pause = 0.0  # seconds; 0 while the handler runs
        self._until = 0.0
        self._probe = asyncio.Lock()

    @property
    def paused(self) -> bool:
        return self._pause > 0.0

    async def __call__(self, attempt: Attempt, service: Service[Attempt, None], /) -> None:
        while self._pause:
            async with self._probe:  # one at a time, until one gets through
                if self._pause:
                    await self._clock.sleep(max(0.0, self._until - self._clock.now()))
                    await self._try(attempt, service)
                    return
        await self._try(attempt, service)

    async def _try(self, attempt: Attempt, service: Service[Attempt, None]) -> None:
        try:
            await service(attempt)
        except _NOBODY_THERE as error:
            raise self._begin(error) from error
        except Exception:
            self._go_on()  # whatever is wrong, it is not that nobody is there
            raise
        self._go_on()

    def _go_on(self) -> None:
        if self._pause:
            self._pause = 0.0
            self._gauge.set(0)

    def _begin(self, error: CallError) -> Paused:
        now = self._clock.now()
        if now >= self._until:  # of those that failed together, the first says how long
            self._pause = min(self._longest, self._pause * 2 or self._first)
            self._until = now + self._pause
            self._gauge.set(1)
        return Paused(max(0.0, self._until - now))

    def __repr__(self) -> str:
        return f"Pause({self._first:g} to {self._longest:g} s)"
