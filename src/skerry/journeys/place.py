"""Where a journey runs: a fleet, addresses, or apps in this process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from skerry.core.errors import CallError, ConfigError
from skerry.core.service import Service
from skerry.core.wire import Request, Response, read_all
from skerry.discovery.static import StaticDiscovery, variables
from skerry.stack.connector import Connection, Connector, connection, default_connector
from skerry.telemetry.metrics import Metrics

from .http import Http

FRONT = "front"
"""What the front door is called where addresses are given."""

CALLER = "journeys"
"""Under which name the calls of journeys are counted."""

_AGAIN = 0.3  # seconds until a fleet that starts is asked again


class Place:
    """How a journey reaches apps and the front door. Close it at the end.

    Args:
        connector: makes the clients of apps.
        front: URL of the front door; empty where there is none, or the fleet is to be asked.
        control: socket of the fleet that is asked, when somebody wants to know.
        inside: the front door of apps that are in this process.
        urls: other addresses that are ours: the browser tells them of the trace.
        metrics: where calls through the front door are counted.
    """

    def __init__(
        self,
        connector: Connector,
        front: str = "",
        control: str = "",
        inside: Service[Request, Response] | None = None,
        urls: tuple[str, ...] = (),
        metrics: Metrics | None = None,
    ) -> None:
        self._front = front
        self._metrics = metrics
        self._control = control
        self._origins = {urlsplit(url).netloc for url in (front, *urls) if url}
        self._connector = connector
        self._inside = inside
        self._door: Connection | None = None

    def service(self, app: str) -> Service[Request, Response]:
        """The client stack of ``app``."""
        return self._connector.service(app)

    async def front(self) -> str:
        """URL of the front door; empty where there is none.

        Raises:
            ConfigError: the fleet does not answer.
        """
        if not self._front and self._control:
            self._front = await front_of(self._control)
            self._origins.add(urlsplit(self._front).netloc)
        return self._front

    async def http(self, app: str = "") -> Http:
        """A client of one app, or of the front door.

        Raises:
            ConfigError: there is no front door, or the fleet does not answer.
        """
        if app:
            return Http(self.service(app), app)
        if self._inside is not None:
            return Http(self._inside)
        front = await self.front()
        if not front:
            raise ConfigError(
                "there is no front door: [front] in fleet.toml makes one, --url front=https://… "
                "says where another is"
            )
        if self._door is None:
            self._door = connection(front, caller=CALLER, app=FRONT, metrics=self._metrics)
        return Http(self._door, host=urlsplit(front).netloc)

    def is_ours(self, url: str) -> bool:
        """Whether a request of the browser goes to the fleet, which is to know the trace."""
        parts = urlsplit(url)
        if parts.netloc in self._origins:
            return True
        name, _, port = parts.netloc.rpartition(":")
        return name.endswith(".localhost") and port == str(urlsplit(self._front).port)

    async def close(self) -> None:
        if self._door is not None:
            await self._door.close()
        await self._connector.close()


def reach(
    urls: Mapping[str, str] | None = None,
    control: str | Path = "",
    environ: Mapping[str, str] | None = None,
    metrics: Metrics | None = None,
) -> Place:
    """A place by addresses, and a running fleet for whatever they do not name.

    Args:
        urls: of apps by name, several separated by commas; ``front`` is the front door.
        control: the socket of a fleet's control API.
        environ: by default the process's; ``QUOTES_URL`` and the like name apps as well.
        metrics: where calls are counted, and whose tracer records them.

    Raises:
        ConfigError: an address is none.
    """
    given = dict(urls or {})
    surroundings = dict(os.environ if environ is None else environ)
    front = given.pop(FRONT, surroundings.get("FRONT_URL", ""))
    if front:
        StaticDiscovery({FRONT: [front]})  # which checks it
    if control:
        surroundings["SKERRY_CONTROL"] = str(control)
    socket = surroundings.get("SKERRY_CONTROL", "")
    for app, listed in given.items():
        StaticDiscovery({app: [url.strip() for url in listed.split(",")]})
        surroundings[variables(app)[0]] = listed
    return Place(
        default_connector(CALLER, metrics, environ=surroundings),
        front,
        socket,
        urls=tuple(url for listed in given.values() for url in listed.split(",")),
        metrics=metrics,
    )


async def front_of(control: str) -> str:
    """The address of a fleet's front door, by its control API; empty if it has none.

    Raises:
        ConfigError: nobody answers there.
    """
    return str((await _status(control)).get("front") or "")


async def settled(control: str) -> None:
    """Until a fleet has started all that it has, or given up waiting for it."""
    while True:
        with suppress(ConfigError):  # it may be starting itself
            if (await _status(control)).get("settled"):
                return
        await asyncio.sleep(_AGAIN)


async def _status(control: str) -> dict[str, Any]:
    from skerry.transport.unix import UnixTransport

    transport = UnixTransport(control)
    try:
        async with asyncio.timeout(10):
            response = await transport.connect()(Request("GET", "/instances"))
            status: dict[str, Any] = msgspec.json.decode(await read_all(response.body))
    except (CallError, TimeoutError, msgspec.DecodeError) as error:
        raise ConfigError(f"the fleet at {control} does not answer: {error}") from None
    finally:
        await transport.close()
    return status
