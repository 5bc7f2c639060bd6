"""Servers of the bench's own, on free ports, and what is asked of RabbitMQ between rounds."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import aiormq
from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelNotFoundEntity

from skerry.fleet.backings import Backing, running
from skerry.fleet.rabbitmq import RabbitMQ
from skerry.spec import BackingSpec

from . import machine

_FOLDER = machine.WORK / "rabbitmq"


@contextmanager
def backing(made: Backing) -> Iterator[asyncio.Runner]:
    """Run a server; yields what coroutines about it can be run with.

    Raises:
        BackingError: it is not installed, or did not start.
    """
    with asyncio.Runner() as runner:
        server = running(made, machine.WORK / f"{made.name}.log")
        runner.run(server.__aenter__())
        try:
            yield runner
        finally:
            runner.run(server.__aexit__(None, None, None))


@contextmanager
def rabbitmq() -> Iterator[str]:
    """A RabbitMQ with nothing in it; its URL. It may use all cores. Raises as ``backing`` does."""
    shutil.rmtree(_FOLDER, ignore_errors=True)
    broker = RabbitMQ(BackingSpec(name="rabbitmq", kind="rabbitmq"), _FOLDER, "bench")
    with backing(broker):
        yield broker.url("bench")


def consumers(url: str, queue: str) -> int:
    """How many a queue has; none where there is no such queue."""

    async def ask(channel: AbstractChannel) -> int:
        try:
            return (await channel.queue_declare(queue, passive=True)).consumer_count or 0
        except ChannelNotFoundEntity:
            return 0

    return asyncio.run(_asked(url, ask))


def empty(url: str, queue: str) -> int:
    """Take out what is still in a queue; how many that were."""

    async def ask(channel: AbstractChannel) -> int:
        return (await channel.queue_purge(queue)).message_count or 0

    return asyncio.run(_asked(url, ask))


async def _asked(url: str, ask: Callable[[AbstractChannel], Awaitable[int]]) -> int:
    connection = await aiormq.connect(url)
    try:
        return await ask(await connection.channel())
    finally:
        await connection.close()
