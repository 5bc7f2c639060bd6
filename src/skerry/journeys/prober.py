"""Runs journeys on their schedules: each by itself, none over itself, all by one instance."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
from collections.abc import Awaitable, Coroutine, Iterable
from datetime import UTC, datetime
from typing import Any

from skerry.core.clock import Clock, system
from skerry.telemetry.metrics import Metrics

from .archive import Archive, Lead
from .declare import Journey
from .live import Both, Live
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
        self._live: dict[str, Live] = {}
        self._next: dict[str, float] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, when: Awaitable[object] | None = None) -> None:
        """Begin with the schedules.

        Args:
            when: is waited for before: apps that are still starting have not failed.
        """
        begin = asyncio.Event()
        if when is None:
            begin.set()
        else:
            self._task("begin", self._await(when, begin))
        for journey in self.journeys.values():
            if journey.every is not None:
                self._task(journey.name, self._keep_time(journey, journey.every, begin))

    async def _await(self, when: Awaitable[object], begin: asyncio.Event) -> None:
        await when
        begin.set()

    def _task(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=name, context=contextvars.Context())
        self._tasks.append(task)

    async def stop(self) -> None:
        """End; runs under way are interrupted, and clean up."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._lead.close()

    def is_running(self, name: str) -> bool:
        return self._running[name].locked()

    def live(self, name: str) -> Live | None:
        """What is known of the run that is under way; None for none."""
        return self._live.get(name)

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

    async def _keep_time(self, journey: Journey, every: float, begin: asyncio.Event) -> None:
        await begin.wait()
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
            live = self._live[journey.name] = Live(self._clock)
            try:
                with count.under_way():
                    both = Both(count, live)
                    result = await perform(journey, self._place, folder=folder, watcher=both)
            finally:
                del self._live[journey.name]
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
