"""What a bus driver does, whatever broker it is for. The test of a driver inherits ``Bus``.

Each test is a sentence of ``skerry.bus.driver``. The driver's own test file gives a fixture
``place``: a broker to itself, and what can be done to it::

    from skerry.testing.bus import Bus, Place


    class TestMine(Bus):
        @pytest.fixture
        def place(self) -> Place:
            return Place(lambda: Mine(URL), code=("from mine import Mine", f"Mine({URL!r})"))

Names of topics and subscriptions are new in every test, so that one server may serve all of them.
What a broker cannot do, a subclass says by overriding that one test with what it does instead.
"""

from __future__ import annotations

import pytest

from .bus_attempts import Attempts
from .bus_letters import Letters
from .bus_order import Order
from .bus_outages import Outages
from .bus_place import Place
from .bus_publishing import Publishing

__all__ = ["Bus", "Place"]


@pytest.mark.asyncio
class Bus(Publishing, Attempts, Order, Letters, Outages):
    """The suite; see the module."""
