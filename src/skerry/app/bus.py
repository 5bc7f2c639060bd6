"""An app's part of the bus while it runs: its handlers' consumers, its relay, its schedules.

An app starts without its broker. It is not ready then, and says so; what it publishes inside
its own transactions is kept, and everything goes on by itself when the broker is there.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from skerry.bus.attempt import Attempt
from skerry.bus.consumer import Consumer
from skerry.bus.driver import Driver, Subscription
from skerry.bus.event import EventType, event_type
from skerry.bus.message import compose
from skerry.bus.schedule import Scheduler
from skerry.bus.urls import file_url
from skerry.core.errors import BusUnavailable, CallError, ConfigError
from skerry.core.service import Service
from skerry.telemetry.metrics import Metrics

from .handlers import Handler
from .levels import Levels

log = logging.getLogger("skerry.bus")

_AGAIN = 1.0
_ANSWER = 2.0  # seconds: less than whoever asks for our health waits
_LAST_BATCHES = 1.0  # seconds for the outbox at the end; what is left there is safe
PATIENCE = 5.0
"""Seconds that stopping waits for handlers that are at work; what they leave is given back."""


def bus_url() -> str:
    """``SKERRY_BUS``, or a file beside the fleet's control socket."""
    given = os.environ.get("SKERRY_BUS")
    if given:
        return given
    control = os.environ.get("SKERRY_CONTROL")
    folder = Path(control).parent if control else Path(".skerry").absolute()
    return file_url(folder / "bus.db")


class Keeping(Protocol):
    """What an app keeps in its database; see ``kept``."""

    @property
    def trouble(self) -> str | None: ...
    def start(self) -> None: ...
    async def waiting(self) -> tuple[int, float]: ...
    async def stop(self, patience: float, /) -> None: ...


class Bus:
    """What an app has of the bus between start and stop; functions may ask for it by this type.

    Args:
        app: whose it is; the source of what it publishes.
        published: the events it has said it publishes.
    """

    def __init__(
        self, app: str, driver: Driver, published: Iterable[EventType], metrics: Metrics
    ) -> None:
        self.driver = driver
        self._app = app
        self._published = {kind.type for kind in published}
        self._metrics = metrics
        self._consumers: list[Consumer] = []
        self._subscriptions: list[Subscription] = []
        self._scheduler: Scheduler | None = None
        self._kept: Keeping | None = None
        self._opening: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._trouble: str | None = "the broker has not been reached yet"
        self._started = False

    def handle(
        self, handlers: Sequence[tuple[Handler, Service[Attempt, None]]], kept: Keeping | None
    ) -> None:
        """Feed these, from ``start`` on.

        Args:
            kept: what is to be done about the app's database, if it has one.
        """
        self._kept = kept
        for handler, service in handlers:
            declared = handler.declaration
            self._consumers.append(
                Consumer(
                    self.driver,
                    handler.subscription,
                    handler.kinds,
                    service,
                    declared.settings,
                    permanent=declared.permanent,
                    metrics=self._metrics,
                )
            )
        self._subscriptions = [handler.subscription for handler, _ in handlers]
        schedules = [h.declaration.schedule for h, _ in handlers if h.declaration.schedule]
        if schedules:
            self._scheduler = Scheduler(self._app, self.driver, schedules)
            self._subscriptions.append(self._scheduler.subscription)

    async def publish(self, *events: Any, delay: float = 0.0) -> None:
        """Publish events, in this order; they are accepted when this returns.

        Outside of any transaction: what is published here is published, whatever happens to
        what the caller writes. ``publish_with`` does it in a transaction.

        Args:
            delay: seconds that pass before they are delivered.

        Raises:
            ConfigError: the app has not said, with ``publishes``, that it publishes these.
            BusUnavailable: none was accepted.
            Unconfirmed: nobody knows which were accepted.
        """
        kinds = [event_type(type(each)) for each in events]
        for kind in kinds:
            if kind.type not in self._published:
                name = kind.type.__name__
                raise ConfigError(f"{self._app} publishes no {name}; say app.publishes({name})")
        if not self._started:
            raise BusUnavailable(self._trouble or "")
        messages = [
            compose(kind, each, source=self._app) for kind, each in zip(kinds, events, strict=True)
        ]
        await self.driver.publish(messages, delay=delay)

    async def start(self) -> None:
        """Begin; an app whose broker is there is ready when this returns."""
        try:
            await self._open()
        except CallError as error:
            self._trouble = str(error)
            log.warning("%s: the bus cannot be reached yet: %s", self._app, error)
            self._opening = asyncio.create_task(self._keep_opening(), context=contextvars.Context())

    async def _keep_opening(self) -> None:
        while True:
            await asyncio.sleep(_AGAIN)
            try:
                await self._open()
            except CallError as error:
                self._trouble = str(error)
            else:
                log.info("%s: the bus is reached", self._app)
                return

    async def _open(self) -> None:
        await self.driver.open()
        await self.driver.declare(self._subscriptions)
        for consumer in self._consumers:
            consumer.start()
        if self._scheduler is not None:
            self._scheduler.start()
        if self._kept is not None:
            self._kept.start()
        levels = Levels(
            self._app,
            self.driver,
            [consumer.subscription.name for consumer in self._consumers],
            None if self._kept is None else self._kept.waiting,
            self._metrics,
        )
        self._looking = asyncio.create_task(levels.watch(), context=contextvars.Context())
        self._trouble, self._started = None, True

    async def health(self) -> str | None:
        """What is wrong; None for nothing."""
        if self._trouble is None:
            try:
                async with asyncio.timeout(_ANSWER):
                    await self.driver.open()
            except TimeoutError:
                return f"no answer within {_ANSWER:g} s"
            except CallError as error:
                return str(error)
        kept = None if self._kept is None else self._kept.trouble
        return self._trouble or kept

    async def finish(self, patience: float) -> None:
        """Take nothing more; what is still at work after so many seconds is given back.

        What is published goes on being published, for the requests that are answered meanwhile.
        """
        for task in (self._opening, self._looking):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        if self._scheduler is not None:
            await self._scheduler.stop()
        await asyncio.gather(*(consumer.stop(patience) for consumer in self._consumers))

    async def stop(self) -> None:
        """Finish, if that was not asked for before, and let go of the broker."""
        await self.finish(PATIENCE)
        if self._kept is not None:  # after the handlers, which may have left something there
            await self._kept.stop(_LAST_BATCHES)
        await self.driver.close()
