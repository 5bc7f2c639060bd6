"""Runs journeys on their schedules: each by itself, none over itself, all by one instance."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
from collections.abc import Iterable
from datetime import UTC, datetime

from skerry.core.clock import Clock, system
from skerry.telemetry.metrics import Metrics

from .archive import Archive, Lead
from .declare import Journey
from .model import Result
from .perform import perform
from .place import Place
from .recording import Count

log = logging.getLogger("skerry.journeys")

JITTER = 0.1
"""Of the time between two runs: that many journeys do not always run in one moment."""

_FIRST_WITHIN = 5.0  # seconds: a fleet that has started is looked at soon
_LEAST_PAUSE = 0.1  # of the time between: a run that takes longer than that is not all there is


class Busy(Exception):
    """The journey is being run just now."""


class Prober:
    """Runs journeys, and keeps what comes of it.

    Args:
        rng: where jitter comes from.
    """

    def __init__(
        self,
        journeys: Iterable[Journey],
        place: Place,
        archive: Archive,
        metrics: Metrics,
        clock: Clock = system,
        rng: random.Random | None = None,
    ) -> None:
        self.journeys = {journey.name: journey for journey in journeys}
        self.archive = archive
        self._place = place
        self._counts = {name: Count(metrics, name) for name in self.journeys}
        self._clock = clock
        self._rng = rng or random.Random()
        self._lead = Lead(archive.folder)
        self._running = {name: asyncio.Lock() for name in self.journeys}
        self._next: dict[str, float] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin with the schedules."""
        for journey in self.journeys.values():
            if journey.every is not None:
                work = self._keep_time(journey, journey.every)
                empty = contextvars.Context()
                self._tasks.append(asyncio.create_task(work, name=journey.name, context=empty))

    async def stop(self) -> None:
        """End; runs under way are interrupted, and clean up."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._lead.close()

    def is_running(self, name: str) -> bool:
        return self._running[name].locked()

    def next(self, name: str) -> datetime | None:
        """When the journey is due; None if nobody knows, or another instance runs it."""
        moment = self._next.get(name)
        return None if moment is None else datetime.fromtimestamp(moment, UTC)

    async def run(self, name: str) -> Result:
        """Run a journey now.

        Raises:
            Busy: it is being run.
        """
        if self.is_running(name):
            raise Busy(name)
        return await self._once(self.journeys[name])

    async def _keep_time(self, journey: Journey, every: float) -> None:
        pause = self._rng.uniform(0.0, min(every, _FIRST_WITHIN))
        while True:
            self._next[journey.name] = self._clock.wall() + pause
            await self._clock.sleep(pause)
            began = self._clock.now()
            try:
                if await asyncio.to_thread(self._lead.held):
                    await self._once(journey)
            except Exception:
                log.exception("%s: its run could not be kept", journey.name)
            wanted = every * self._rng.uniform(1 - JITTER, 1 + JITTER)
            pause = max(every * _LEAST_PAUSE, wanted - (self._clock.now() - began))

    async def _once(self, journey: Journey) -> Result:
        count = self._counts[journey.name]
        async with self._running[journey.name]:
            folder = self.archive.shots(journey.name)
            with count.under_way():
                result = await perform(journey, self._place, folder=folder, watcher=count)
            count.ended_with(result)
            if result.error is not None:
                log.warning(
                    "%s failed at %r: %s (trace %s)",
                    journey.name,
                    result.error.step,
                    result.error.message,
                    result.trace,
                )
            return await asyncio.to_thread(self.archive.add, result)
