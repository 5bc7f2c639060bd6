"""The bus on RabbitMQ (3.10 or later): quorum queues, publisher confirms, and no plugin.

``rabbitmq_topology`` says what exists at the broker, ``rabbitmq_envelope`` what a message looks
like there to others, ``rabbitmq_intake`` how deliveries are kept in order and counted.

A delivery belongs to the channel it came on, and the channel to the connection. RabbitMQ takes a
connection for dead that is silent for two heartbeats of 10 s, whatever a subscription's lease
says, and gives its deliveries to others; then ``ack`` and ``extend`` raise ``LeaseLost``. It
also closes a channel on which something is unacknowledged for longer than its
``consumer_timeout``, 30 minutes by default: no heartbeat helps there. A handler that takes longer
needs a higher one.

What only RabbitMQ's management plugin could tell is not told: ``queues`` knows what is leased
to, and delayed by, this process alone, and not the oldest.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

from aiormq.exceptions import ChannelNotFoundEntity

from skerry.core.clock import system
from skerry.core.errors import BusUnavailable, Unconfirmed

from . import rabbitmq_letters as letters
from .driver import DeadLetter, Delivery, Failure, QueueInfo, Subscription
from .message import Message
from .rabbitmq_attempts import Book, anew
from .rabbitmq_envelope import (
    EVENTS,
    address,
    properties_of,
    routing_key,
)
from .rabbitmq_intake import Intake
from .rabbitmq_link import Channel, Link
from .rabbitmq_mover import move
from .rabbitmq_publisher import Outgoing, Publisher
from .rabbitmq_topology import Entry, Topology, dead_queue, queues_of

log = logging.getLogger("skerry.bus")

_QUIET = 60.0
_MOST_DELAYED = 10_000  # for each topic, that this process remembers


class RabbitMQ:
    """A driver for RabbitMQ; see ``Driver`` for what its methods do.

    Args:
        url: ``amqp://user:password@host:port/vhost``, or ``amqps://``; aiormq's options
            (``heartbeat``, ``cafile``, …) may follow as a query.
        quiet: seconds that a queue which was replaced must be unused before it is deleted.
    """

    def __init__(self, url: str, *, quiet: float = _QUIET) -> None:
        self._quiet = quiet
        # RabbitMQ reads nothing from a connection that publishes while it is short of memory or
        # disk; so acknowledgements, and all that only looks, have one of their own.
        self._publishing = Link(url, "skerry publisher", self._prepare)
        self._consuming = Link(url, "skerry consumer")
        self._publisher = Publisher(self._publishing)
        self._topology = Topology(self._consuming, self._publisher)
        self._declared: dict[str, Subscription] = {}
        self._intakes: dict[str, list[Intake]] = {}
        self._delayed: dict[str, list[float]] = {}
        self._movers: dict[str, asyncio.Task[None]] = {}
        self._again: asyncio.Task[None] | None = None
        self._opened = False

    async def open(self) -> None:
        await self._publishing.connect()

    async def close(self) -> None:
        tasks = [*self._movers.values(), *([self._again] if self._again else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.gather(*(intake.abort() for intake in self._alive()))
        await self._consuming.close()
        await self._publishing.close()

    async def _prepare(self, channel: Channel) -> None:
        """On every new connection; a broker that has lost its data is told all again."""
        await self._topology.prepare(channel)
        if self._opened and self._declared:
            self._again = asyncio.create_task(self._declare_again())
        self._opened = True

    async def _declare_again(self) -> None:
        try:
            await self._declare(list(self._declared.values()))
        except (BusUnavailable, Unconfirmed) as error:
            log.warning("declaring subscriptions again: %s", error)

    # -- publishing ---------------------------------------------------------------------------

    async def declare(self, subscriptions: Sequence[Subscription]) -> None:
        await self._declare(subscriptions)
        self._declared.update((it.name, it) for it in subscriptions)

    async def _declare(self, subscriptions: Sequence[Subscription]) -> None:
        entries = await self._topology.declare(subscriptions)
        for name, entry in entries.items():
            for queue in entry.retired:
                if queue not in self._movers:
                    moving = move(self._topology, self._publisher, name, queue, self._quiet)
                    task = asyncio.create_task(moving, name=f"moving {queue}")
                    self._movers[queue] = task
                    task.add_done_callback(partial(self._moved, queue))

    def _moved(self, queue: str, task: asyncio.Task[None]) -> None:
        self._movers.pop(queue, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("moving %s: %r", queue, error, exc_info=error)

    async def publish(self, messages: Sequence[Message], *, delay: float = 0.0) -> None:
        exchange, headers = EVENTS, dict[str, str]()
        if delay > 0:
            exchange, headers = await self._topology.ladder(delay)
        await self._publisher.send(
            [
                Outgoing(
                    exchange,
                    routing_key(it.topic, it.key),
                    properties_of(it, headers),
                    it.body,
                )
                for it in messages
            ]
        )
        if delay > 0:
            for it in messages:
                self._note_delayed(it.topic, delay)

    async def _publish_again(
        self, subscription: str, message: Message, delay: float, attempts: int
    ) -> None:
        """To one subscription, as a delivery that is to be tried again."""
        exchange, headers = EVENTS, dict[str, str]()
        if delay > 0:
            exchange, headers = await self._topology.ladder(delay)
        key = routing_key(address(subscription), message.key)
        properties = properties_of(message, {**headers, **anew(attempts)})
        await self._publisher.send([Outgoing(exchange, key, properties, message.body)])
        if delay > 0:
            self._note_delayed("=" + subscription, delay)

    # -- consuming ----------------------------------------------------------------------------

    @asynccontextmanager
    async def consume(
        self, subscription: Subscription, prefetch: int
    ) -> AsyncIterator[AsyncIterator[Delivery]]:
        name = subscription.name
        entry = await self._topology.entry(name)
        queues = queues_of(name, entry)

        async def again(message: Message, delay: float, attempts: int) -> None:
            await self._publish_again(name, message, delay, attempts)

        async def bury(message: Message, failure: Failure, attempts: int) -> None:
            await letters.bury(self._topology, self._publisher, name, message, failure, attempts)

        async def consumers() -> int:
            return (await self._counts(queues[0]))[1]

        intake = Intake(
            self._consuming,
            queues,
            ordered=entry.ordered,
            prefetch=prefetch,
            lease=subscription.lease,
            book=self._book(name),
            consumers=consumers,
            again=again,
            bury=bury,
        )
        self._intakes[name] = [*self._alive(name), intake]
        intake.start()
        try:
            yield intake
        finally:
            await intake.close()

    def _book(self, name: str) -> Book:
        return Book(self._topology, self._publisher, name)

    def _alive(self, name: str | None = None) -> list[Intake]:
        found = self._intakes.values() if name is None else [self._intakes.get(name, [])]
        return [intake for intakes in found for intake in intakes if intake.active]

    # -- what there is ------------------------------------------------------------------------

    async def queues(self, names: Collection[str] | None = None) -> list[QueueInfo]:
        entries = self._topology.entries
        if names is None or not entries.keys() >= {*names}:
            entries = await self._topology.all()
        return [
            await self._info(name, entry)
            for name, entry in sorted(entries.items())
            if names is None or name in names
        ]

    async def _info(self, name: str, entry: Entry) -> QueueInfo:
        counts = [await self._counts(queue) for queue in queues_of(name, entry)]
        retired = [await self._counts(queue) for queue in entry.retired]
        dead, _ = await self._counts(dead_queue(name))
        mine = self._alive(name)
        waiting = [entry for intake in mine for entry in intake.waiting()]
        held = sum(entry.held for entry in waiting)
        return QueueInfo(
            name,
            entry.topics,
            ready=sum(ready for ready, _ in (*counts, *retired)) + len(waiting) - held,
            delayed=self._count_delayed(name, entry.topics) + held,
            leased=sum(intake.out for intake in mine),
            dead=dead,
            consumers=max(consumers for _, consumers in counts),
            whole=False,
        )

    async def _counts(self, queue: str) -> tuple[int, int]:
        """Messages that wait in a queue, and its consumers."""
        try:
            async with self._topology.channel(f"looking at {queue}", answers=True) as channel:
                found = await channel.queue_declare(queue, passive=True)
        except ChannelNotFoundEntity:
            return 0, 0
        return found.message_count or 0, found.consumer_count or 0

    async def peek(self, subscription: str, limit: int = 20) -> list[Message]:
        entry = await self._topology.entry(subscription)
        mine = [it.message for intake in self._alive(subscription) for it in intake.waiting()]
        stem, *partitions = queues_of(subscription, entry)
        topology, book = self._topology, self._book(subscription)
        found = await asyncio.gather(
            letters.look(topology, stem, limit, book),
            *(letters.peek_into_partition(topology, book, it, limit) for it in partitions),
        )
        messages = [*mine, *(it.message for queue in found for it in queue)]
        if entry.ordered:
            messages.sort(key=lambda message: message.time)
        return messages[:limit]

    async def dead(self, subscription: str, limit: int = 100) -> list[DeadLetter]:
        await self._topology.entry(subscription)
        return await letters.dead(self._topology, subscription, limit)

    async def redrive(
        self, subscription: str, ids: Sequence[str], bodies: Mapping[str, bytes] = {}
    ) -> int:
        await self._topology.entry(subscription)
        return await letters.redrive(self._topology, self._publisher, subscription, ids, bodies)

    async def purge(self, subscription: str, *, dead: bool) -> int:
        entry = await self._topology.entry(subscription)
        count = 0
        for intake in [] if dead else self._alive(subscription):
            count += intake.drop()
        for queue in [dead_queue(subscription)] if dead else queues_of(subscription, entry):
            with contextlib.suppress(ChannelNotFoundEntity):
                purging = self._topology.channel(f"purging {queue}", answers=True)
                async with purging as channel:
                    count += (await channel.queue_purge(queue)).message_count or 0
        return count

    async def forget(self, subscription: str) -> None:
        self._declared.pop(subscription, None)
        await self._topology.forget(subscription)

    def _note_delayed(self, topic: str, delay: float) -> None:
        due = self._delayed.setdefault(topic, [])
        heapq.heappush(due, system.now() + delay)
        _drop_until(due, system.now())
        del due[_MOST_DELAYED:]

    def _count_delayed(self, name: str, topics: Sequence[str]) -> int:
        """What this process has put onto the ladder for a subscription, and is still there."""
        count = 0
        for topic in ("=" + name, *topics):
            due = self._delayed.get(topic, [])
            _drop_until(due, system.now())
            count += len(due)
        return count


def _drop_until(due: list[float], now: float) -> None:
    while due and due[0] <= now:
        heapq.heappop(due)
