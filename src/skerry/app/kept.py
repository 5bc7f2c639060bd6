"""What an app on the bus keeps in its own database: the outbox, the inbox, and who empties them.

Apart from ``bus``, and imported by nobody but apps that have a database, because SQLAlchemy
comes with it.
"""

from __future__ import annotations

import asyncio
import contextvars

from skerry.bus.driver import Driver, Subscription
from skerry.bus.relay import Relay
from skerry.bus.relaying import RelaySettings
from skerry.data import schema
from skerry.data.database import Database
from skerry.data.inbox import Inbox
from skerry.data.outbox import Outbox
from skerry.filters.inbox import EffectivelyOnce
from skerry.telemetry.metrics import Metrics

from .tidy import tidy


class Kept:
    """The tables of one app, while it runs.

    Args:
        app: whose they are.
        driver: where the outbox is published.
        relay: how.
    """

    def __init__(
        self,
        app: str,
        database: Database,
        driver: Driver,
        metrics: Metrics,
        relay: RelaySettings,
    ) -> None:
        self._app = app
        self._database = database
        self._relay = Relay(Outbox(database), driver, app=app, settings=relay, metrics=metrics)
        self._cleaning: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Have the tables there are to be."""
        await asyncio.to_thread(schema.migrate, self._database.engine)

    def inbox(self, subscription: Subscription) -> EffectivelyOnce:
        """The filter that makes a handler's effects count once."""
        return EffectivelyOnce(self._database, subscription.name, subscription.lease)

    def start(self) -> None:
        """Publish what is in the outbox, and forget what is over, until ``stop``."""
        self._relay.start()
        self._cleaning = asyncio.create_task(
            tidy(self._app, "inbox", Inbox(self._database).clean), context=contextvars.Context()
        )

    async def waiting(self) -> tuple[int, float]:
        """How many events wait in the outbox, and the seconds since the oldest was composed."""
        return await self._relay.waiting()

    async def stop(self, patience: float) -> None:
        if self._cleaning is not None:
            self._cleaning.cancel()
        await self._relay.stop(patience)

    @property
    def trouble(self) -> str | None:
        """Why the outbox is not published; None while it is."""
        return f"the outbox waits: {self._relay.trouble}" if self._relay.trouble else None
