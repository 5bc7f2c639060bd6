"""Counts every attempt of a handler: how many, how long, with what end, and how many are on."""

from __future__ import annotations

import asyncio

from skerry.bus.attempt import Attempt, Paused
from skerry.bus.driver import LeaseLost
from skerry.core.clock import Clock, system
from skerry.core.service import Service
from skerry.telemetry.metrics import Metrics
from skerry.telemetry.outcome import CANCELLED, outcome_of

_HANDLED = 2  # 2xx: what an answer without an error is counted as


class ObserveHandler:
    """A filter that records attempts in the series of their handler.

    An attempt that was not made, because its handler is paused or its lease is lost, is counted
    like a call that its caller cancelled: it says nothing of the handler.
    """

    def __init__(self, metrics: Metrics, app: str, handler: str, clock: Clock = system) -> None:
        self._series = metrics.series("consumer", app, handler)
        self._names = app, handler
        self._now = clock.now

    async def __call__(self, attempt: Attempt, service: Service[Attempt, None], /) -> None:
        series = self._series
        started = self._now()
        series.in_flight += 1
        outcome = _HANDLED
        try:
            await service(attempt)
        except (asyncio.CancelledError, Paused, LeaseLost):
            outcome = CANCELLED
            raise
        except BaseException as error:
            outcome = outcome_of(error)
            raise
        finally:
            series.in_flight -= 1
            series.record(self._now() - started, outcome)

    def __repr__(self) -> str:
        app, handler = self._names
        return f"Observe(consumer, app={app!r}, handler={handler!r})"
