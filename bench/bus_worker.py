"""One process on a bus: publishes, consumes, or both, between two moments of one clock.

``python -m bench.bus_worker JSON``, where the JSON is a ``Task``, says ``ready`` when it is, is
told when to begin, and prints a ``Result``. So nobody is measured while others still start.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence

import uvloop
from msgspec import Struct, json

from skerry.bus.driver import Delivery, Driver, Subscription
from skerry.bus.embedded import Embedded
from skerry.bus.message import Message, new_id

from . import machine

TOPIC = "payments.settled"
WARM_UP = 0.5  # seconds that do not count
_SOON = 0.2  # seconds until all have heard when to begin
BODY = (
    b'{"payment_id":"p-0123456789","amount":"1234.56","currency":"EUR","school":"s-4711",'
    b'"payer":"Jana Novotna","reference":"tuition, spring term","settled_at":"2026-02-27"}'
)


class Task(Struct):
    """What one process does.

    Attributes:
        broker: the driver's constructor, by name, and its arguments.
        batch: events in each call of ``publish``; 0 for a process that only consumes.
        in_flight: calls at a time.
        pause: seconds between them.
        prefetch: 0 for a process that only publishes.
        seconds: that count.
        begin: on the clock that all processes share (``time.monotonic``); told last.
    """

    broker: str
    arguments: dict[str, str]
    subscription: str
    batch: int = 0
    in_flight: int = 1
    pause: float = 0.0
    prefetch: int = 0
    seconds: float = 0.0
    begin: float = 0.0

    @property
    def end(self) -> float:
        return self.begin + self.seconds


class Result(Struct):
    """What happened between ``begin`` and ``end``; seconds from publishing to delivery."""

    published: int = 0
    ended: int = 0
    latencies: list[float] = []


def subscription_of(name: str) -> Subscription:
    return Subscription(name, (TOPIC,))


def driver_of(task: Task) -> Driver:
    if task.broker == "embedded":
        path, durability = task.arguments["path"], task.arguments["durability"]
        return Embedded(path, durability="power" if durability == "power" else "process")
    raise ValueError(task.broker)


def run_all(tasks: Sequence[tuple[Task, int | None]], seconds: float) -> tuple[list[Result], float]:
    """Run each in a process of its own, on its core; their results, and the time counted."""
    processes = []
    for task, core in tasks:
        task.seconds = seconds
        command = [sys.executable, "-m", "bench.bus_worker", json.encode(task).decode()]
        pinned = ["taskset", "-c", str(core)] if core is not None else []
        processes.append(
            subprocess.Popen(
                [*pinned, *command],
                cwd=machine.ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for process in processes:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{process.args!r} failed")
    begin = f"{time.monotonic() + _SOON + WARM_UP}\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(begin)
        process.stdin.flush()
    results = []
    for process in processes:
        output, _ = process.communicate(timeout=seconds + 60)
        if process.returncode:
            raise RuntimeError(f"{process.args!r} failed")
        results.append(json.decode(output, type=Result))
    return results, seconds


async def work(task: Task) -> Result:
    driver = driver_of(task)
    await driver.open()
    result = Result()
    jobs = []
    if task.prefetch:
        jobs.append(asyncio.create_task(consume(driver, task, result)))
    print("ready", flush=True)
    task.begin = float(await asyncio.to_thread(sys.stdin.readline))
    await asyncio.sleep(max(0.0, task.begin - WARM_UP - time.monotonic()))
    if task.batch:
        jobs += [
            asyncio.create_task(publish(driver, task, result, n)) for n in range(task.in_flight)
        ]
    await asyncio.sleep(max(0.0, task.end + 0.2 - time.monotonic()))
    for job in jobs:
        job.cancel()
    await asyncio.wait(jobs)
    await driver.close()
    return result


async def publish(driver: Driver, task: Task, result: Result, number: int) -> None:
    count = 0
    while (now := time.monotonic()) < task.end:
        messages = []
        for _ in range(task.batch):
            count += 1
            key = f"{number}-{count}"
            messages.append(Message(new_id(), TOPIC, 1, BODY, key, "bench", now))
        await driver.publish(messages)
        if task.begin <= time.monotonic() <= task.end:
            result.published += len(messages)
        if task.pause:
            await asyncio.sleep(task.pause)


async def consume(driver: Driver, task: Task, result: Result) -> None:
    ending: set[asyncio.Task[None]] = set()

    async def end(delivery: Delivery) -> None:
        await delivery.ack()
        if task.begin <= time.monotonic() <= task.end:
            result.ended += 1

    try:
        async with driver.consume(subscription_of(task.subscription), task.prefetch) as deliveries:
            async for delivery in deliveries:
                if task.pause and delivery.message.time >= task.begin:
                    result.latencies.append(time.monotonic() - delivery.message.time)
                job = asyncio.create_task(end(delivery))
                ending.add(job)
                job.add_done_callback(ending.discard)
    finally:
        if ending:
            await asyncio.wait(ending)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(work(json.decode(sys.argv[1], type=Task)))
    sys.stdout.buffer.write(json.encode(found))
