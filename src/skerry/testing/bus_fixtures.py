"""Drivers, topics and subscriptions for the tests of a bus driver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from skerry.bus.driver import Driver, Subscription

from .bus_place import Place
from .bus_tools import LONG, Another, Subscribe


class Suite:
    """What the tests of ``Bus`` ask for."""

    @pytest.fixture
    def place(self) -> Place:
        """A broker to itself; whoever inherits the suite says which."""
        raise NotImplementedError("a driver's test has a fixture `place`; see skerry.testing.bus")

    @pytest_asyncio.fixture
    async def another(self, place: Place) -> AsyncIterator[Another]:
        """Opens one more driver on the broker, as another instance would; closed at the end."""
        opened: list[Driver] = []

        async def make() -> Driver:
            driver = place.make()
            await driver.open()
            opened.append(driver)
            return driver

        yield make
        for driver in opened:
            await driver.close()

    @pytest_asyncio.fixture
    async def driver(self, another: Another) -> Driver:
        """One that is open."""
        return await another()

    @pytest.fixture
    def topic(self) -> str:
        """That no other test has."""
        return f"t{uuid4().hex[:12]}.settled"

    @pytest_asyncio.fixture
    async def subscribe(self, driver: Driver, topic: str) -> AsyncIterator[Subscribe]:
        """Declares a subscription of ``topic``, or of others; forgotten at the end."""
        made: list[str] = []

        async def make(
            *topics: str, ordered: bool = True, lease: float = LONG, name: str = ""
        ) -> Subscription:
            name = name or f"s{uuid4().hex[:12]}.book_it"
            subscription = Subscription(name, topics or (topic,), ordered, lease)
            await driver.declare([subscription])
            made.append(name)
            return subscription

        yield make
        for name in made:
            await driver.forget(name)
