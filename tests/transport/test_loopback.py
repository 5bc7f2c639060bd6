"""Loopback does what a network does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from skerry.core.instance import Address
from skerry.transport.base import TransportSettings
from skerry.transport.loopback import Loopback, provide, withdraw

from .conformance import Exchanges
from .servers import Service


class TestLoopback(Exchanges):
    loops = ("asyncio", "uvloop")

    def transport(self, settings: TransportSettings) -> Loopback:
        return Loopback(settings)

    @asynccontextmanager
    async def serve(self, service: Service) -> AsyncIterator[Address]:
        provide("app", service)
        try:
            yield Address("local:app")
        finally:
            withdraw("app")
