"""A broker inside one process, for tests: no file, no server, and time as the clock says.

It passes the suite that real brokers pass. What it promises holds for as long as its
``Broker`` object lives; drivers on the same one are like instances on the same server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from msgspec.structs import replace as amended

from skerry.core.clock import Clock, system
from skerry.core.errors import BusUnavailable

from .driver import DeadLetter, Failure, LeaseLost, QueueInfo, Subscription
from .message import Message


@dataclass
class _Entry:
    """A message in one subscription's queue."""

    message: Message
    due: float
    late: bool = False  # published with a delay: it takes its place when that is over
    attempts: int = 0
    holder: MemoryDelivery | None = None


@dataclass
class _Queue:
    subscription: Subscription
    entries: list[_Entry] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


class Broker:
    """What drivers of one test share.

    Attributes:
        reachable: False makes every driver raise ``BusUnavailable``.
        published: everything that was accepted, in its order.
    """

    def __init__(self, clock: Clock = system) -> None:
        self.clock = clock
        self.queues: dict[str, _Queue] = {}
        self.published: list[Message] = []
        self.reachable = True

    def check(self) -> None:
        if not self.reachable:
            raise BusUnavailable("the broker is away")

    def queue(self, name: str) -> _Queue:
        self.check()
        if name not in self.queues:
            raise BusUnavailable(f"there is no subscription {name!r}")
        return self.queues[name]


class Memory:
    """A driver on a ``Broker``; see ``Driver`` for what its methods do."""

    def __init__(self, broker: Broker | None = None) -> None:
        self.broker = broker or Broker()
        self._out: set[MemoryDelivery] = set()

    async def open(self) -> None:
        self.broker.check()

    async def close(self) -> None:
        for delivery in list(self._out):
            delivery.drop()

    async def declare(self, subscriptions: Sequence[Subscription]) -> None:
        self.broker.check()
        for subscription in subscriptions:
            queue = self.broker.queues.setdefault(subscription.name, _Queue(subscription))
            queue.subscription = subscription

    async def publish(self, messages: Sequence[Message], *, delay: float = 0.0) -> None:
        self.broker.check()
        due = self.broker.clock.now() + delay if delay > 0 else 0.0
        self.broker.published += messages
        for queue in self.broker.queues.values():
            topics = queue.subscription.topics
            queue.entries += [_Entry(m, due, due > 0) for m in messages if m.topic in topics]
            queue.wake()

    @asynccontextmanager
    async def consume(
        self, subscription: Subscription, prefetch: int
    ) -> AsyncIterator[AsyncIterator[MemoryDelivery]]:
        source = self._deliveries(self.broker.queue(subscription.name), prefetch)
        try:
            yield source
        finally:
            await source.aclose()

    async def _deliveries(
        self, queue: _Queue, prefetch: int
    ) -> AsyncGenerator[MemoryDelivery, None]:
        mine: set[MemoryDelivery] = set()
        while True:
            changed = queue.changed
            mine &= self._out
            entry = self._next(queue) if len(mine) < prefetch and self.broker.reachable else None
            if entry is not None:
                delivery = MemoryDelivery(self, queue, entry)
                mine.add(delivery)
                self._out.add(delivery)
                yield delivery
                continue
            clock = self.broker.clock
            timer = clock.call_at(clock.now() + self._until_next(queue), queue.wake)
            try:
                await changed.wait()
            finally:
                timer.cancel()

    def _next(self, queue: _Queue) -> _Entry | None:
        now = self.broker.clock.now()
        held: set[str] = set()
        for entry in [e for e in queue.entries if e.late and e.due <= now]:
            entry.late = False
            queue.entries.remove(entry)
            queue.entries.append(entry)
        for entry in queue.entries:
            if entry.holder is not None and entry.holder.expires <= now:
                entry.holder.drop()
            key = entry.message.key if queue.subscription.ordered and not entry.late else ""
            free = entry.holder is None and entry.due <= now and key not in held
            if free:
                return entry
            if key:
                held.add(key)
        return None

    def _until_next(self, queue: _Queue) -> float:
        now = self.broker.clock.now()
        times = [e.holder.expires if e.holder else e.due for e in queue.entries]
        return min((t - now for t in times if t > now), default=1.0)

    async def queues(self, names: Collection[str] | None = None) -> list[QueueInfo]:
        self.broker.check()
        now = self.broker.clock.now()
        return [
            QueueInfo(
                name,
                queue.subscription.topics,
                ready=sum(e.holder is None and e.due <= now for e in queue.entries),
                delayed=sum(e.holder is None and e.due > now for e in queue.entries),
                leased=sum(e.holder is not None for e in queue.entries),
                dead=len(queue.dead),
                oldest=min((e.message.time for e in queue.entries), default=None),
            )
            for name, queue in sorted(self.broker.queues.items())
            if names is None or name in names
        ]

    async def peek(self, subscription: str, limit: int = 20) -> list[Message]:
        entries = self.broker.queue(subscription).entries
        return [e.message for e in entries if e.holder is None][:limit]

    async def dead(self, subscription: str, limit: int = 100) -> list[DeadLetter]:
        return self.broker.queue(subscription).dead[:limit]

    async def redrive(
        self, subscription: str, ids: Sequence[str], bodies: Mapping[str, bytes] = {}
    ) -> int:
        queue = self.broker.queue(subscription)
        chosen = [letter for letter in queue.dead if letter.message.id in set(ids)]
        queue.dead = [letter for letter in queue.dead if letter not in chosen]
        for letter in chosen:
            body = bodies.get(letter.message.id, letter.message.body)
            queue.entries.append(_Entry(amended(letter.message, body=body), 0.0))
        queue.wake()
        return len(chosen)

    async def purge(self, subscription: str, *, dead: bool) -> int:
        queue = self.broker.queue(subscription)
        if dead:
            count, queue.dead = len(queue.dead), []
            return count
        kept = [e for e in queue.entries if e.holder is not None]
        count = len(queue.entries) - len(kept)
        queue.entries = kept
        return count

    async def forget(self, subscription: str) -> None:
        self.broker.check()
        self.broker.queues.pop(subscription, None)


class MemoryDelivery:
    """See ``Delivery``."""

    def __init__(self, driver: Memory, queue: _Queue, entry: _Entry) -> None:
        entry.attempts += 1
        entry.holder = self
        self.message = entry.message
        self.attempt = entry.attempts
        self._driver = driver
        self._queue = queue
        self._entry = entry
        self.expires = driver.broker.clock.now() + queue.subscription.lease

    def drop(self) -> None:
        """Somebody else may have it."""
        self._driver._out.discard(self)
        if self._entry.holder is self:
            self._entry.holder = None
            self._queue.wake()

    def _held(self) -> _Entry:
        self._driver.broker.check()
        entry = self._entry
        if entry.holder is not self or self.expires <= self._driver.broker.clock.now():
            self.drop()
            raise LeaseLost(f"{self.message.id} is no longer ours")
        return entry

    async def ack(self) -> None:
        self._queue.entries.remove(self._held())
        self.drop()

    async def retry(self, delay: float, *, counts: bool = True) -> None:
        entry = self._held()
        entry.due = self._driver.broker.clock.now() + delay if delay > 0 else 0.0
        entry.attempts -= not counts
        self.drop()

    async def bury(self, failure: Failure) -> None:
        entry = self._held()
        now = self._driver.broker.clock.wall()
        name = self._queue.subscription.name
        self._queue.dead.append(DeadLetter(self.message, name, failure, self.attempt, now))
        self._queue.entries.remove(entry)
        self.drop()

    async def extend(self) -> None:
        self._held()
        self.expires = self._driver.broker.clock.now() + self._queue.subscription.lease
