"""Publishes the outbox of an app that is not written with Skerry, beside it.

Such an app writes events with ``publish_with``, in its own transactions; nothing in its processes
publishes them. This does, in a process of its own: any number of them, on any machines, share the
work as instances of an app do. It starts before its database or its broker is there, and outlives
both; only what no waiting would mend ends it.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Coroutine
from typing import Any

from sqlalchemy.orm import Session

from skerry.bus.driver import Driver
from skerry.bus.relay import Relay
from skerry.bus.relaying import RelaySettings
from skerry.core.errors import CallError, ConfigError
from skerry.data import schema
from skerry.data.database import Database
from skerry.data.inbox import Inbox
from skerry.data.outbox import Outbox
from skerry.data.transient import unreachable
from skerry.telemetry.metrics import Metrics

from .tidy import tidy

log = logging.getLogger("skerry.bus")

_AGAIN = 1.0
_LAST_BATCHES = 5.0  # seconds; what is left in the outbox is safe there


class Sidecar:
    """The relay of one database.

    Args:
        app: whose events they are: the source of those that name none.
        every: seconds between lines that say how much was published.
    """

    def __init__(
        self,
        app: str,
        database: Database,
        driver: Driver,
        settings: RelaySettings | None = None,
        *,
        every: float = 60.0,
    ) -> None:
        metrics = Metrics()
        self._app = app
        self._database = database
        self._driver = driver
        self._relay = Relay(Outbox(database), driver, app=app, settings=settings, metrics=metrics)
        self._relayed = metrics.counter("skerry_outbox_relayed", app=app)
        self._every = every

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until ``stop`` is set; what has been committed by then is published still.

        Raises:
            ConfigError: the database has none of Skerry's tables, or older ones.
        """
        await _unless(stop, self._wait_until_both_are_there())
        if stop.is_set():
            return
        count, _ = await self._relay.waiting()
        log.info("%s: the outbox is published; %d events wait in it", self._app, count)
        context = contextvars.Context()
        self._relay.start()
        about = asyncio.create_task(self._say_how_it_goes(), context=context)
        clean = Inbox(self._database).clean
        cleaning = asyncio.create_task(tidy(self._app, "inbox", clean), context=context)
        await stop.wait()
        about.cancel()
        cleaning.cancel()
        await self._relay.stop(_LAST_BATCHES)
        log.info("%s: ended, with %d events published", self._app, self._relayed.value)

    async def once(self) -> int:
        """Publish what is there now; how many that was.

        Raises:
            ConfigError: as above.
            CallError: the broker cannot be reached, or did not say what it has accepted.
        """
        await self._check_tables()
        await self._driver.open()
        while await self._relay.relay():
            pass
        return self._relayed.value

    async def _wait_until_both_are_there(self) -> None:
        said = ""
        while True:
            try:
                await self._check_tables()
                await self._driver.open()
            except Exception as error:
                if not isinstance(error, CallError) and not unreachable(error):
                    raise
                trouble = str(error).partition("\n")[0]
                if trouble != said:
                    log.warning("%s: waiting: %s", self._app, trouble)
                said = trouble
                await asyncio.sleep(_AGAIN)
            else:
                return

    async def _check_tables(self) -> None:
        def version(session: Session) -> int:
            return schema.version(session.connection())

        found = await self._database.read(version)
        if found < schema.VERSION:
            what = f"are at version {found}, not {schema.VERSION}" if found else "are not there"
            raise ConfigError(f"Skerry's tables {what}; make them: `skerry tables apply`")

    async def _say_how_it_goes(self) -> None:
        told = 0
        while True:
            await asyncio.sleep(self._every)
            count = self._relayed.value - told
            told += count
            if count:
                log.info("%s: %d events published in %g s", self._app, count, self._every)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Until ``work`` is through, or ``stop`` is set."""
    task, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    done, late = await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
    for each in late:
        each.cancel()
    await asyncio.wait([task, stopped])
    if task in done:
        task.result()
