"""How much waits, as gauges: in an app's outbox and in its handlers' queues.

An event that waits has left one log line and no error, so a queue that grows is seen here or
nowhere. All instances of an app look at the same tables and queues; what they say is merged as the
highest. Looking costs the broker something, so it is done now and then, and seldom where it takes
long.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence

from skerry.bus.driver import Driver, QueueInfo
from skerry.telemetry.metrics import Metrics

EVERY = 10.0
"""Seconds between looks."""

_SHARE = 0.01  # of the time, at most, is spent looking
_QUEUE = {
    "ready": "Events that wait for a handler.",
    "delayed": "Events that wait for their time, published late or to be tried again.",
    "leased": "Events that are out with instances.",
    "dead": "Dead letters of a handler.",
    "oldest_seconds": "The age of the oldest event that waits; 0 if none does.",
}
_OUTBOX = {
    "waiting": "Events in an outbox that wait to be published.",
    "oldest_seconds": "The age of the oldest event in an outbox; 0 if none waits.",
}

Waiting = Callable[[], Awaitable[tuple[int, float]]]


class Levels:
    """What waits for one app.

    Args:
        subscriptions: of its handlers.
        waiting: asks its outbox: how many, and the seconds since the oldest; None without one.
    """

    def __init__(
        self,
        app: str,
        driver: Driver,
        subscriptions: Sequence[str],
        waiting: Waiting | None,
        metrics: Metrics,
    ) -> None:
        self._app = app
        self._driver = driver
        self._subscriptions = subscriptions
        self._waiting = waiting
        self._metrics = metrics

    async def watch(self) -> None:
        """Look, until cancelled. What cannot be seen is not guessed: its gauges have no value."""
        await asyncio.sleep(random.random())  # instances that start together need not look so
        while True:
            began = time.monotonic()
            if self._waiting is not None:
                await self._look_at_outbox(self._waiting)
            if self._subscriptions:
                await self._look_at_queues()
            await asyncio.sleep(max(EVERY, (time.monotonic() - began) / _SHARE))

    async def _look_at_outbox(self, waiting: Waiting) -> None:
        count: float | None
        oldest: float | None
        try:
            count, oldest = await waiting()
        except Exception:  # the relay finds that out as well, and says so
            count = oldest = None
        for name, value in {"waiting": count, "oldest_seconds": oldest}.items():
            self._set(f"skerry_outbox_{name}", _OUTBOX[name], value, app=self._app)

    async def _look_at_queues(self) -> None:
        try:
            found = await self._driver.queues(self._subscriptions)
        except Exception:  # health says that the broker is away
            found = []
        known = {queue.subscription: _levels(queue) for queue in found}
        for subscription in self._subscriptions:
            levels = known.get(subscription, {})
            for name, help in _QUEUE.items():
                self._set(f"skerry_queue_{name}", help, levels.get(name), handler=subscription)

    def _set(self, name: str, help: str, value: float | None, **labels: str) -> None:
        self._metrics.gauge(name, help, "max", **labels).set(value)


def _levels(queue: QueueInfo) -> dict[str, float]:
    """What a broker tells of a queue; what it does not is left out."""
    found: dict[str, float] = {"ready": queue.ready, "dead": queue.dead}
    if queue.whole:
        oldest = 0.0 if queue.oldest is None else max(0.0, time.time() - queue.oldest)
        found |= {"delayed": queue.delayed, "leased": queue.leased, "oldest_seconds": oldest}
    return found
