"""Redriving that takes its time: seen, waited for, stopped."""

from __future__ import annotations

import asyncio

from skerry.bus.redrive import Redrive
from skerry.console.jobs import _REMEMBERED, Jobs


def begin(jobs: Jobs, run: object, name: str = "shop.bill") -> int:
    return jobs.begin(name, "1/s", 9, Redrive(name, []), run)  # type: ignore[arg-type]


async def test_a_job_is_done_fails_or_is_stopped() -> None:
    jobs = Jobs()
    never = asyncio.Event()

    async def well() -> None:
        pass

    async def badly() -> None:
        raise RuntimeError("the broker is gone")

    async def for_ever() -> None:
        await never.wait()

    for run in (well, badly):
        await jobs.wait(begin(jobs, run), 5)
    number = begin(jobs, for_ever)
    await jobs.wait(number, 0.01)
    assert [job.state for job in jobs.all()] == ["running", "failed", "done"]
    assert jobs.all()[1].detail == "the broker is gone"
    assert jobs.cancel(number)
    await jobs.wait(number, 5)
    assert jobs.all()[0].state == "stopped"
    assert not jobs.cancel(99)
    begin(jobs, for_ever)
    await jobs.close()
    assert jobs.all()[0].state == "stopped"


async def test_old_jobs_are_forgotten_but_none_that_runs() -> None:
    jobs = Jobs()
    never = asyncio.Event()

    async def for_ever() -> None:
        await never.wait()

    async def well() -> None:
        pass

    begin(jobs, for_ever, "running")
    for _ in range(_REMEMBERED * 2):
        await jobs.wait(begin(jobs, well), 5)
    assert len(jobs.all()) <= _REMEMBERED + 2
    assert jobs.all()[-1].subscription == "running"
    await jobs.close()
