"""HTTP to other processes, by one of three drivers that pass the same suite.

The default is our own; ``docs/design/transport.md`` has the measurements and the reasons. A
driver is imported when it is first chosen.
"""

from __future__ import annotations

from typing import Literal

from skerry.core.instance import Address
from skerry.core.service import Service
from skerry.core.wire import Request, Response

from .base import DEFAULTS, Transport, TransportSettings

Driver = Literal["native", "pyreqwest", "aiohttp"]


class HttpTransport:
    """The transport to addresses like ``http://127.0.0.1:8001`` and ``https://…``.

    Args:
        settings: how connections are made and kept.
        driver: who makes them.
    """

    def __init__(self, settings: TransportSettings = DEFAULTS, driver: Driver = "native") -> None:
        self._driver = _make(settings, driver)

    def connect(self, address: Address, /) -> Service[Request, Response]:
        """The service at ``address``.

        Raises:
            ConfigError: it is no such address, or the TLS files in the settings are unusable.
        """
        return self._driver.connect(address)

    async def close(self) -> None:
        """Refuse new requests, let those in flight end within ``drain_timeout``, then cut."""
        await self._driver.close()


def _make(settings: TransportSettings, driver: Driver) -> Transport:
    if driver == "pyreqwest":
        from .reqwest import ReqwestTransport

        return ReqwestTransport(settings)
    if driver == "aiohttp":
        from .aio import AiohttpTransport

        return AiohttpTransport(settings)
    from .native import NativeTransport

    return NativeTransport(settings)
