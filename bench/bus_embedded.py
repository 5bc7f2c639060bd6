"""The embedded bus: events published, delivered and acknowledged in a second, and how soon.

Producers are on one core and consumers on the other. ``power``, the default, waits for the disk
before it has accepted anything; ``process`` does not. So that the figures of two machines can be
compared, the disk's own time for a small write is among them.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from skerry.bus.embedded import Embedded

from . import machine
from .bus_worker import Result, Task, run_all, subscription_of
from .rows import Report

_FOLDER = machine.WORK / "bus"
_SUBSCRIPTION = "ledger.book"
_NINE = 9


def run(report: Report, rounds: int, seconds: float, say: Callable[[str], None]) -> None:
    sync: list[float] = []
    for durability, suffix in (("power", ""), ("process", "_process")):
        batch, single, alone, nine, idle = ([] for _ in range(5))
        for number in range(rounds):
            batch.append(_pair(durability, seconds, batch=100, in_flight=4))
            single.append(_pair(durability, seconds, batch=1, in_flight=32))
            alone.append(_pair(durability, seconds, batch=1, in_flight=1))
            if durability == "power":
                sync.append(_sync_ms())
            nine.append(_nine(durability, seconds))
            idle.append(_idle(durability, seconds))
            say(f"embedded bus, {durability}: round {number + 1} of {rounds}")
        main = not suffix
        report.add(
            f"bus.embedded_batch{suffix}_per_s", batch, "events/s", ">= 20000" if main else ""
        )
        report.add(
            f"bus.embedded_single{suffix}_per_s", single, "events/s", ">= 5000" if main else ""
        )
        report.add(f"bus.embedded_one_at_a_time{suffix}_per_s", alone, "events/s")
        report.add(f"bus.embedded_nine_processes{suffix}_per_s", nine, "events/s")
        report.add(f"bus.embedded_idle{suffix}_p50_ms", idle, "ms", "<= 5" if main else "")
    report.add("bus.disk_sync_ms", sync, "ms")


def _broker(durability: str) -> dict[str, str]:
    """A new file with its subscription; the arguments of those who use it."""
    shutil.rmtree(_FOLDER, ignore_errors=True)
    path = _FOLDER / "bus.db"

    async def declare() -> None:
        driver = Embedded(path)
        await driver.open()
        await driver.declare([subscription_of(_SUBSCRIPTION)])
        await driver.close()

    asyncio.run(declare())
    return {"path": str(path), "durability": durability}


def _pair(durability: str, seconds: float, *, batch: int, in_flight: int) -> float:
    """Events a second through a producer and a consumer."""
    broker, (first, last) = _broker(durability), machine.cores()
    producer = Task("embedded", broker, _SUBSCRIPTION, batch=batch, in_flight=in_flight)
    consumer = Task("embedded", broker, _SUBSCRIPTION, prefetch=200)
    results, counted = run_all([(consumer, last), (producer, first)], seconds)
    return _through(results) / counted


def _nine(durability: str, seconds: float) -> float:
    """Events a second through nine processes that publish and consume, one event at a time."""
    broker = _broker(durability)
    tasks = [
        Task("embedded", broker, _SUBSCRIPTION, batch=1, in_flight=8, prefetch=50)
        for _ in range(_NINE)
    ]
    results, counted = run_all([(task, None) for task in tasks], seconds)
    return _through(results) / counted


def _idle(durability: str, seconds: float) -> float:
    """Milliseconds from the call of ``publish`` to the delivery, where nobody does anything."""
    broker, (first, last) = _broker(durability), machine.cores()
    producer = Task("embedded", broker, _SUBSCRIPTION, batch=1, pause=0.02)
    consumer = Task("embedded", broker, _SUBSCRIPTION, pause=0.02, prefetch=16)
    results, _ = run_all([(consumer, last), (producer, first)], seconds)
    return 1000 * statistics.median(results[0].latencies)


def _through(results: list[Result]) -> int:
    """What came through: not what still waits, nor what waited before."""
    return min(sum(r.published for r in results), sum(r.ended for r in results))


def _sync_ms(writes: int = 100) -> float:
    """Milliseconds for 4 KiB to be on the disk, over what was there, as the bus's log mostly is."""
    path = Path(_FOLDER) / "disk"
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.pwrite(file, b"x" * 4096 * writes, 0)
        os.fsync(file)
        began = time.perf_counter()
        for number in range(writes):
            os.pwrite(file, b"y" * 4096, number * 4096)
            os.fdatasync(file)
        return (time.perf_counter() - began) * 1000 / writes
    finally:
        os.close(file)
        path.unlink()
