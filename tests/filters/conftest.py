from __future__ import annotations

from collections.abc import Iterator

import pytest

from skerry.core.clock import ManualClock
from skerry.core.context import EMPTY, attach, detach
from skerry.telemetry.metrics import Metrics


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture(autouse=True)
def nobody_else() -> Iterator[None]:
    """Every test begins in an empty context."""
    token = attach(EMPTY)
    yield
    detach(token)
