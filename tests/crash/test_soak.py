"""A short soak; `python -m bench soak` is the long one."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from bench.crash.soak import Life, soak


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


async def test_nothing_is_lost_and_nothing_done_twice() -> None:
    result = await soak(10.0, "embedded", "sqlite", seed=3)
    assert result.problems == []
    assert "payments in 0.2 min" in result.lines[0]


def test_growth_is_told_from_what_a_start_needs() -> None:
    rising = Life("a", [(at, 50.0 + (at if at < 20 else 20 + at / 60)) for at in range(120)])
    assert rising.slope == pytest.approx(1.0)
    assert Life("b", [(at, 50.0 + at) for at in range(40)]).slope is None
