"""``python -m bench soak [--minutes 10] [--driver D] [--database D] [--seed N]``.

A fleet under mixed load (payments with keys, their events, delayed ones, some that fail at first
and some that always do, a schedule) whose processes are killed and stopped at random. In the
end nothing may be lost, nothing done twice, and memory must not have grown.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

from skerry.data.database import Database

from .apps import ATTEMPTS, NewPayment
from .caller import Answer, Plan, read_answers
from .cells import CALLERS, DATABASES, DRIVERS
from .ground import Expected, Fleet
from .lane import PAUSE, Lane, lane
from .processes import Process, zygote

PREFIX = "soak-"
_KINDS = ("plain",) * 14 + ("flaky",) * 2 + ("late",) * 3 + ("bad",)
_ACCOUNTS = 24
_WAVE = 24  # payments of one caller
_CALLERS = 2  # at a time
_WARM_UP = 20.0  # seconds of a process's life that are not looked at
_LONG = 30.0  # seconds of life after which its memory says something
FLAT = 1.0
"""MiB that a process may grow in a minute."""


@dataclass
class Life:
    """The memory of one process: seconds since its start, MiB."""

    name: str
    samples: list[tuple[float, float]] = field(default_factory=list)

    @property
    def slope(self) -> float | None:
        """MiB a minute after the warm-up; None for a life that was too short to tell."""
        found = [(at / 60, mib) for at, mib in self.samples if at >= _WARM_UP]
        if len(found) < 3 or found[-1][0] - found[0][0] < _LONG / 60:
            return None
        return statistics.linear_regression(*zip(*found, strict=True)).slope


@dataclass
class Soak:
    """What has happened so far."""

    lane: Lane
    fleet: Fleet
    rng: random.Random
    until: float
    payments: list[NewPayment] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    lives: dict[int, Life] = field(default_factory=dict)

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self.until


@dataclass
class Result:
    """How it has ended: ``problems`` is empty if all went well."""

    problems: list[str]
    lines: list[str]


async def soak(seconds: float, driver: str, database: str, seed: int) -> Result:
    """Put a fleet under load and faults for so long; then look whether all is well."""
    rng = random.Random(seed)
    async with zygote() as started, lane(driver, database, started) as opened:
        fleet = await opened.begin_fleet(ticks=True)
        run = Soak(opened, fleet, rng, time.monotonic() + seconds)
        watching = asyncio.create_task(_watch(run))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_strike(run))
                for number in range(_CALLERS):
                    group.create_task(_pay(run, number))
            watching.cancel()
            expected = Expected(None, PREFIX, run.payments, run.answers, faults=ATTEMPTS)
            problems = await opened.settled(fleet, expected)
            ticks = await asyncio.to_thread(_ticks, fleet.databases["payments"])
        finally:
            watching.cancel()
    problems += [f"the tick of {at} was done {n} times" for at, n in ticks.items() if n > 1]
    problems += _growth(run)
    return Result(problems, [*_summary(run, seconds, ticks), *problems])


async def _pay(run: Soak, number: int) -> None:
    wave = 0
    folder = run.fleet.folder
    while run.goes_on:
        wave += 1
        payments = [
            NewPayment(
                f"{PREFIX}{number}-{wave}-{n}",
                f"{PREFIX}{run.rng.randrange(_ACCOUNTS)}",
                run.rng.choice(_KINDS),
            )
            for n in range(_WAVE)
        ]
        answers = folder / f"answers-{number}-{wave}"
        behaviour = run.rng.choice(list(CALLERS))
        await run.lane.call(Plan(behaviour, payments, run.fleet.urls, str(answers)))
        run.payments += payments
        run.answers += read_answers(answers)


async def _strike(run: Soak) -> None:
    """Kill or stop somebody now and then; the first of payments and of ledger are only stopped,
    so that some live long enough to tell whether memory grows."""
    spared = {run.fleet.processes[role][0] for role in ("payments", "ledger")}
    while run.goes_on:
        await asyncio.sleep(run.rng.uniform(0.5, 3.5))
        struck = run.rng.choice(run.fleet.everybody)
        fault = run.rng.choice(["kill", "kill", "kill", "pause", "cut"])
        if fault == "kill" and struck in spared:
            fault = "pause"
        run.faults[fault] += 1
        if fault == "cut":
            await run.lane.inflict(run.fleet, "cut")
        elif fault == "kill":
            struck.kill()
        else:
            await _stop(struck, PAUSE[run.lane.driver])


async def _stop(process: Process, seconds: float) -> None:
    pid = process.pid
    process.kill(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


async def _watch(run: Soak) -> None:
    """The memory of every process, once a second."""
    began: dict[int, float] = {}
    while True:
        now = time.monotonic()
        for role, processes in run.fleet.processes.items():
            for number, process in enumerate(processes):
                mib = _resident(process.pid)
                if mib is not None:
                    life = run.lives.setdefault(process.pid, Life(f"{role}-{number}"))
                    life.samples.append((now - began.setdefault(process.pid, now), mib))
        await asyncio.sleep(1.0)


def _resident(pid: int) -> float | None:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return None
    # One that is just dying has none.
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20 or None


def _ticks(database: Database) -> Counter[str]:
    with database.reading() as session:
        return Counter(session.execute(text("SELECT at FROM ticks")).scalars())


def _growth(run: Soak) -> list[str]:
    return [
        f"{life.name} grows by {life.slope:.2f} MiB a minute"
        for life in run.lives.values()
        if life.slope is not None and life.slope > FLAT
    ]


def _summary(run: Soak, seconds: float, ticks: Counter[str]) -> list[str]:
    kinds = Counter(payment.kind for payment in run.payments)
    faults = ", ".join(f"{count} × {fault}" for fault, count in sorted(run.faults.items()))
    deaths = sum(process.deaths for process in run.fleet.everybody)
    lines = [
        f"{len(run.payments)} payments in {seconds / 60:.1f} min: "
        + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()),
        f"faults: {faults}; {deaths} processes started again",
        f"ticks: {len(ticks)}",
    ]
    for life in run.lives.values():
        if life.slope is not None:
            first, last = life.samples[0][1], life.samples[-1][1]
            lines.append(
                f"{life.name}: {first:.1f} MiB, after {life.samples[-1][0]:.0f} s {last:.1f} MiB; "
                f"{life.slope:+.2f} MiB a minute after the warm-up"
            )
    return lines


def main(arguments: Sequence[str]) -> int:
    """Run it; 0 if all went well."""
    parser = argparse.ArgumentParser(prog="python -m bench soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--driver", choices=DRIVERS, default="embedded")
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--seed", type=int, default=None)
    chosen = parser.parse_args(arguments)
    seed = random.randrange(10_000) if chosen.seed is None else chosen.seed
    print(f"soak: {chosen.driver} × {chosen.database}, {chosen.minutes:g} min, seed {seed}")
    sys.stdout.flush()
    logging.disable(logging.CRITICAL)
    result = asyncio.run(soak(chosen.minutes * 60, chosen.driver, chosen.database, seed))
    print("\n".join(result.lines))
    print("✗ not all is well" if result.problems else "✓ nothing lost, nothing twice, memory flat")
    return int(bool(result.problems))
