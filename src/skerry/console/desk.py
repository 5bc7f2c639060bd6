"""What the parts of the console share: the fleet's control API, the collector, a way to apps, the
live feeds."""

from __future__ import annotations

from typing import Any

import msgspec

from skerry.transport.http import HttpTransport

from .feeds import Feeds
from .openbus import OpenBus
from .upstream import collector, control


class Desk:
    """One per process.

    Attributes:
        control: the control API.
        collector: the collector's API: spans, and what is made of them.
        http: reaches apps, for calls that people try.
        feeds: what pages watch.
        bus: the fleet's bus, opened when somebody first looks at it.

    Raises:
        ConfigError: this process belongs to no fleet.
    """

    def __init__(self) -> None:
        self._unix, self.control = control()
        self.http = HttpTransport()
        self.collector = collector(self.http)
        self.feeds = Feeds()
        self.bus = OpenBus(self._bus_url)

    async def status(self) -> dict[str, Any]:
        """What ``skerry ps --json`` prints."""
        found: dict[str, Any] = msgspec.json.decode(await self.control.read("/instances"))
        return found

    async def _bus_url(self) -> str:
        return str(msgspec.json.decode(await self.control.read("/bus"))["url"])

    async def close(self) -> None:
        self.feeds.close()
        await self.bus.close()
        await self.http.close()
        await self._unix.close()
