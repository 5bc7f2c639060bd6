"""What people are told while RabbitMQ does not answer."""

from __future__ import annotations

import asyncio

import pytest

from skerry.bus.rabbitmq_link import reaching
from skerry.core.errors import BusUnavailable


async def test_no_answer_is_told_with_the_time_that_was_waited() -> None:
    with pytest.raises(BusUnavailable, match=r"ledger: no answer from RabbitMQ in 0\.\d+ s"):
        async with reaching("ledger", patience=60):
            await asyncio.wait_for(asyncio.Event().wait(), 0.05)


async def test_it_gives_up_by_itself() -> None:
    with pytest.raises(BusUnavailable, match="no answer"):
        async with reaching("ledger", patience=0.02):
            await asyncio.Event().wait()


async def test_a_task_that_is_cancelled_is() -> None:
    async def wait() -> None:
        async with reaching("ledger"):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
