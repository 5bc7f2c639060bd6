"""What all contestants share: the event, the handler's work, and how a run is measured.

The environment says what to do::

    BENCH_BROKER   amqp:// URL
    BENCH_EVENTS   how many
    BENCH_RESULT   a file for what was measured

Times are ``time.monotonic``, which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

URL = os.environ.get("BENCH_BROKER", "amqp://guest:guest@127.0.0.1/")
EVENTS = int(os.environ.get("BENCH_EVENTS", "1000"))
PREFETCH = 200
CALLS = 100
"""Publishing calls under way at a time, as in a process that answers so many requests; each
publishes one event and returns when the broker has confirmed it."""

EVENT: dict[str, Any] = {
    "payment_id": "p-0123456789",
    "amount": 123456,
    "currency": "EUR",
    "school": "s-4711",
    "payer": "Jana Novotna",
    "reference": "tuition and dormitory, spring term",
    "settled_at": "2026-02-27T10:11:12+00:00",
}
"""Some 200 bytes of JSON."""


def report(**measured: float) -> None:
    """Leave what was measured for whoever started us; all of it or nothing."""
    path = os.environ["BENCH_RESULT"]
    with open(f"{path}.part", "w") as file:
        json.dump(measured, file)
    os.replace(f"{path}.part", path)


class Tally:
    """The handler's work, which is next to none: a sum."""

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0
        self.first = 0.0

    def add(self, amount: int) -> None:
        if self.count == 0:
            self.first = time.monotonic()
        self.count += 1
        self.sum += amount
        if self.count == EVENTS:
            if self.sum != EVENTS * EVENT["amount"]:
                raise ValueError(f"{EVENTS} events came to {self.sum}")
            report(first=self.first, last=time.monotonic())


async def publish_all(publish: Callable[[], Awaitable[object]]) -> None:
    """Publish all, ``CALLS`` of them at a time."""
    left = EVENTS

    async def caller() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await publish()

    began = time.monotonic()
    await asyncio.gather(*(caller() for _ in range(CALLS)))
    report(first=began, last=time.monotonic())


def publish_all_by_threads(publish: Callable[[], object], threads: int) -> None:
    """The same where a call blocks its thread, or its greenlet where threads are such."""
    left = EVENTS
    turn = threading.Lock()

    def caller() -> None:
        nonlocal left
        while True:
            with turn:
                if left <= 0:
                    return
                left -= 1
            publish()

    callers = [threading.Thread(target=caller) for _ in range(threads)]
    began = time.monotonic()
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    report(first=began, last=time.monotonic())
