"""The broker in memory keeps the promises of real ones."""

from __future__ import annotations

import pytest

from skerry.bus.memory import Broker, Memory
from skerry.testing.bus import Bus, Place


class TestMemory(Bus):
    @pytest.fixture
    def place(self) -> Place:
        broker = Broker()
        return Place(lambda: Memory(broker))
