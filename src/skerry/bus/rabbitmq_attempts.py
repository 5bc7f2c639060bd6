"""How often a message that has come back was begun.

RabbitMQ counts how often it was returned, which is something else: a consumer that ends, or is
killed, returns what it had been sent ahead, and looking into a queue returns what was seen. So
there is a book for each subscription, a queue ``name.attempts`` of small messages, each an object
of marks and attempts. It is written only where things are out of the ordinary:

- before a message is given back that nobody has begun here;
- before one is begun that has come back, or has been tried here before.

A message that has come back and is not in the book was begun at most in its first life, so that
counts as one attempt; as none, if one with its key is before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec
from aiormq.exceptions import ChannelNotFoundEntity
from pamqp.commands import Basic

from .rabbitmq_envelope import ATTEMPTS
from .rabbitmq_publisher import Publisher
from .rabbitmq_topology import BOOK, Topology, attempts_queue

_COPY = "skerry-copy"


def mark_of(id: str, headers: Mapping[str, Any]) -> str:
    """What stands for a message in the book. A message that was published anew, by a retry or
    out of the dead letters, has a mark of its own."""
    return f"{id} {headers.get(_COPY, '')}".rstrip()


def anew(attempts: int) -> dict[str, Any]:
    """Headers of a message that is published again, of which so many attempts are known."""
    return {_COPY: uuid4().hex[:12], ATTEMPTS: attempts}


class Book:
    """The book of one subscription."""

    def __init__(self, topology: Topology, publisher: Publisher, subscription: str) -> None:
        self._topology = topology
        self._publisher = publisher
        self._queue = attempts_queue(subscription)

    async def note(self, attempts: Mapping[str, int]) -> None:
        """Write down how often messages have been begun, by their marks; it is there then."""
        if not attempts:
            return
        properties = Basic.Properties(delivery_mode=2, content_type="application/json")
        properties.message_id = uuid4().hex
        body = msgspec.json.encode(attempts)
        await self._topology.deposit(self._publisher, self._queue, BOOK, properties, body)

    async def read(self) -> dict[str, int]:
        """Everything in it; of a message that is there several times, the latest."""
        known: dict[str, int] = {}
        reading = self._topology.channel("reading attempts", patience=60.0, answers=True)
        async with self._topology.lock(self._queue):
            try:
                async with reading as channel:
                    while True:
                        got = await channel.basic_get(self._queue)
                        if not isinstance(got.delivery, Basic.GetOk):
                            break
                        known.update(msgspec.json.decode(got.body, type=dict[str, int]))
                    await channel.basic_nack(0, multiple=True, requeue=True)
                    await channel.basic_qos(prefetch_count=1)  # an answer: it has been done
            except ChannelNotFoundEntity:
                return {}
        return known
