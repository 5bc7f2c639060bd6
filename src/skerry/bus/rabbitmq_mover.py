"""Moves what is left in queues that a subscription does not have any more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiormq.exceptions import ChannelNotFoundEntity
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from skerry.core.errors import BusUnavailable, Unconfirmed

from .rabbitmq_envelope import ATTEMPTS, WINDOW, count_of, message_of
from .rabbitmq_letters import addressed
from .rabbitmq_publisher import Outgoing, Publisher
from .rabbitmq_topology import Topology

log = logging.getLogger("skerry.bus")

_IDLE = 0.3
_AGAIN = 5.0


async def move(
    topology: Topology, publisher: Publisher, subscription: str, queue: str, quiet: float
) -> None:
    """Move messages from ``queue`` to the queues its subscription has now, until it is unused.

    Each is confirmed where it goes before it is acknowledged where it was. Instances of the
    version before may still consume from the queue; it is deleted only when it has been empty
    and without a consumer for ``quiet`` seconds.
    """
    empty_since: float | None = None
    now = asyncio.get_running_loop().time
    while True:
        try:
            moved = await _portion(topology, publisher, subscription, queue)
            if moved or not await _is_unused(topology, queue):
                empty_since = None
            elif empty_since is None:
                empty_since = now()
            elif now() - empty_since >= quiet:
                await topology.retire(subscription, queue)
                log.info("%s has moved from %s, which is deleted", subscription, queue)
                return
        except ChannelNotFoundEntity:
            await topology.retire(subscription, queue)
            return
        except (BusUnavailable, Unconfirmed) as error:
            log.warning("moving %s: %s", queue, error)
        await asyncio.sleep(min(quiet, _AGAIN))


async def _portion(topology: Topology, publisher: Publisher, subscription: str, queue: str) -> int:
    """Move what comes until nothing more does; how many that were."""
    batch: list[Outgoing] = []
    arrived = asyncio.Event()

    async with topology.channel(f"moving {queue}", patience=None, answers=True) as channel:
        channel.deliver = _collector(subscription, batch, arrived)
        await channel.basic_qos(prefetch_count=WINDOW)
        await channel.basic_consume(queue, _nothing)
        moved = 0
        while True:
            try:
                async with asyncio.timeout(_IDLE):
                    await arrived.wait()
            except TimeoutError:
                return moved
            arrived.clear()
            portion = batch[:]
            batch.clear()
            await publisher.send(portion)
            moved += len(portion)
            await channel.basic_ack(moved, multiple=True)  # tags count from 1


def _collector(
    subscription: str, batch: list[Outgoing], arrived: asyncio.Event
) -> Callable[[Basic.Deliver, ContentHeader, bytes], None]:
    def arrive(deliver: Basic.Deliver, header: ContentHeader, body: bytes) -> None:
        headers = header.properties.headers
        attempts = count_of(headers, ATTEMPTS) + count_of(headers, "x-delivery-count")
        message = message_of(deliver, header.properties, body)
        batch.append(addressed(subscription, message, attempts))
        arrived.set()

    return arrive


async def _is_unused(topology: Topology, queue: str) -> bool:
    async with topology.channel(f"looking at {queue}", answers=True) as channel:
        found = await channel.queue_declare(queue, passive=True)
    return not found.message_count and not found.consumer_count


async def _nothing(message: object) -> None:
    """Deliveries go to ``Channel.deliver``."""
