"""Work that takes longer than anybody waits for an answer: redriving at a rate."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from functools import partial

from msgspec import Struct

from skerry.bus.redrive import Redrive
from skerry.core.clock import Clock, system

_REMEMBERED = 20  # jobs that have ended


class Job(Struct):
    """One job, as people see it.

    Attributes:
        state: ``running``, ``done``, ``stopped`` or ``failed``.
        whole: how many dead letters there were to look at.
        detail: why it failed.
        began: in Unix seconds.
    """

    number: int
    subscription: str
    rate: str
    whole: int
    began: float
    done: int = 0
    state: str = "running"
    detail: str = ""


class Jobs:
    """The jobs of this console; they end with it."""

    def __init__(self, clock: Clock = system) -> None:
        self._wall = clock.wall
        self._numbers = itertools.count(1)
        self._jobs: dict[int, tuple[Job, Redrive]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def begin(
        self,
        subscription: str,
        rate: str,
        whole: int,
        work: Redrive,
        run: Callable[[], Awaitable[None]],
    ) -> int:
        """Start one; its number."""
        number = next(self._numbers)
        job = Job(number, subscription, rate, whole, self._wall())
        self._jobs[number] = (job, work)
        task = self._tasks[number] = asyncio.create_task(self._run(job, run))
        task.add_done_callback(partial(self._ended, job))  # also of one that never began
        for old in [n for n in self._jobs if n not in self._tasks][:-_REMEMBERED]:
            del self._jobs[old]
        return number

    async def _run(self, job: Job, run: Callable[[], Awaitable[None]]) -> None:
        try:
            await run()
            job.state = "done"
        except Exception as error:  # whatever a broker's driver raises is for people to read
            job.state, job.detail = "failed", str(getattr(error, "detail", "") or error)

    def _ended(self, job: Job, task: asyncio.Task[None]) -> None:
        self._tasks.pop(job.number, None)
        if task.cancelled():
            job.state = "stopped"

    async def wait(self, number: int, patience: float) -> None:
        """Until it has ended, or for so many seconds."""
        task = self._tasks.get(number)
        if task is not None:
            await asyncio.wait([task], timeout=patience)

    def cancel(self, number: int) -> bool:
        """Stop one; whether it was there."""
        task = self._tasks.get(number)
        if task is not None:
            task.cancel()
        return number in self._jobs

    def all(self) -> list[Job]:
        """Those that run and the last that have ended, the newest first."""
        for job, work in self._jobs.values():
            job.done = work.done
        return [job for job, _ in reversed(self._jobs.values())]

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
