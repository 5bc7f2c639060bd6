"""``skerry bus relay``: publishes the outbox of an app that is not written with Skerry."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from skerry.bus.relaying import RelaySettings
from skerry.bus.urls import driver_of, shown
from skerry.core.errors import CallError

from .busplace import url_of
from .output import Failed, fail, note, several


def relay(
    app: str, database: str, schema: str, poll: float, once: bool, bus: str, file: str
) -> int:
    """Publish what transactions leave in an outbox, until SIGTERM or Ctrl-C; or what is there."""
    url, where = _bus(bus, file), database_url(database)
    with libraries():
        asyncio.run(_relay(app, where, schema, RelaySettings(poll=poll), once, url))
    return 0


async def _relay(
    app: str, database: str, schema: str, settings: RelaySettings, once: bool, url: str
) -> None:
    from skerry.app.sidecar import Sidecar
    from skerry.data.database import Database

    opened, driver = Database(database, schema=schema or None), driver_of(url)
    sidecar = Sidecar(app, opened, driver, settings)
    try:
        if once:
            count = await sidecar.once()
            note(f"{several(count, 'event')} published to {shown(url)}")
        else:
            _log()
            await sidecar.run(_told_to_stop())
    except CallError as error:
        raise Failed(f"the bus at {shown(url)}: {error}") from error
    finally:
        await driver.close()
        await asyncio.to_thread(opened.close)


@contextmanager
def libraries() -> Iterator[None]:
    """Whoever has no library for databases is told so."""
    try:
        yield
    except ModuleNotFoundError as error:
        fail(f"{error.name} is not installed: pip install 'skerry[data,postgres]'")


def database_url(given: str) -> str:
    """The URL of a database that exists: ``--database``, or ``DATABASE_URL``.

    Raises:
        Failed: neither says one, or its file is not there.
    """
    url = given or os.environ.get("DATABASE_URL", "")
    if not url:
        fail("whose database? Say --database URL, or set DATABASE_URL", 2)
    file = url.removeprefix("sqlite:///").partition("?")[0]
    if url.startswith("sqlite:///") and not os.path.isfile(file):
        fail(f"there is no database {file}; the app it belongs to makes it")
    return url


def _bus(bus: str, file: str) -> str:
    try:
        return url_of(bus, file)
    except Failed as error:
        if bus or file:
            raise
        raise Failed(f"{error}\n  or name the bus: --bus URL, or SKERRY_BUS") from None


def _told_to_stop() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _log() -> None:
    from skerry.telemetry import logs

    logs.configure()
