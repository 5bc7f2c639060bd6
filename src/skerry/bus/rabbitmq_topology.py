"""What exists at the broker: exchanges, queues, bindings; who declared them, and the ladder.

::

    skerry.events (topic) ── payments.settled, and with a key payments.settled.P0 … P7
      ├─ unordered subscription: one quorum queue, name, bound to all of them
      └─ ordered one: name for what has no key, and name.p0 … name.p7, one for each partition,
         each with a single active consumer
    =name, =name.P0 … =name.P7: the same queues by the subscription's name, for it alone
    name.dead: its dead letters; name.attempts: see rabbitmq_attempts. Made along with it: what
      a broker that is killed has only just made, it does not have again

    skerry.delay.32 … skerry.delay.0: the ladder. A message that is published late, or is to be
      tried again later, goes down from its highest rung and rests on those that make up its
      delay: 50 ms, 100 ms, 200 ms, … Only rungs that were ever needed exist.
    skerry.due (fanout): its foot, back into skerry.events. skerry.unheard beside it takes and
      drops a copy: a message that reaches no queue would stay on the ladder for ever.

AMQP cannot list queues or bindings, so a registry is kept: one message in the queue
``skerry.registry``, changed by whoever holds the exclusive queue ``skerry.lock.registry``. Changes
are written there before they are made, and all that has ever been bound is remembered, so that
a crash in between leaves nothing that a later declaration would not see.

A queue that exists with other arguments (an older version of this module, RabbitMQ 4's delivery
limit) is replaced by one with ``.v2`` in its name, and what is in it moves over.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiormq.exceptions import (
    ChannelLockedResource,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
)
from msgspec import Struct
from msgspec.structs import replace
from pamqp.commands import Basic

from skerry.core.errors import BusUnavailable

from .driver import Subscription
from .rabbitmq_envelope import DELAYS, EVENTS, PARTITIONS, address, partition
from .rabbitmq_link import Channel, Link, reaching
from .rabbitmq_publisher import Outgoing, Publisher, Unroutable

UNIT = 0.05
"""Seconds of the ladder's lowest rung; delays are rounded up to it."""
RUNGS = 33
"""The highest rests a message for 6.8 years; RabbitMQ takes no longer times."""
BOOK = {"x-message-ttl": 7 * 24 * 3600 * 1000, "x-max-length": 5_000}
"""What a book of attempts may hold."""
_REGISTRY = "skerry.registry"
_DUE = "skerry.due"
_UNHEARD = "skerry.unheard"
_LOCK_WITHIN = 20.0
_NEWEST = 50
_RETURNED_WITHIN = 40


class Entry(Struct, frozen=True, omit_defaults=True):
    """A subscription in the registry.

    Attributes:
        ever: every topic it has had.
        version: of its queues' names.
        retired: queues that were its own before, and may hold messages still.
    """

    topics: tuple[str, ...]
    ordered: bool
    ever: tuple[str, ...] = ()
    version: int = 1
    retired: tuple[str, ...] = ()


class Registry(Struct, frozen=True):
    """Every subscription there is."""

    serial: int = 0
    subscriptions: dict[str, Entry] = {}


def queues_of(name: str, entry: Entry) -> list[str]:
    """The queues of a subscription: first what has no key, then the partitions, if any."""
    stem = name if entry.version == 1 else f"{name}.v{entry.version}"
    if not entry.ordered:
        return [stem]
    return [stem, *(f"{stem}.p{number}" for number in range(PARTITIONS))]


def dead_queue(name: str) -> str:
    return f"{name}.dead"


def attempts_queue(name: str) -> str:
    return f"{name}.attempts"


def _wanted(subscription: Subscription, before: Entry | None, version: int = 1) -> Entry:
    """What a subscription is to be, given what it was."""
    name, topics = subscription.name, tuple(sorted(subscription.topics))
    before = before or Entry(topics, subscription.ordered)
    entry = Entry(
        topics,
        subscription.ordered,
        tuple(sorted({*topics, *before.ever})),
        max(version, before.version),
    )
    gone = {*before.retired, *queues_of(name, before)}.difference(queues_of(name, entry))
    return replace(entry, retired=tuple(sorted(gone)))


def _durable(channel: Channel) -> dict[str, Any]:
    """Arguments of a queue that loses nothing, for the server of a channel."""
    properties: Any = channel.connection.server_properties
    major = str(properties.get("version", "")).partition(".")[0]
    arguments: dict[str, Any] = {"x-queue-type": "quorum"}
    if major.isdigit() and int(major) >= 4:
        arguments["x-delivery-limit"] = -1  # 20 by default: it would drop what we count
    return arguments


class Topology:
    """Declares, remembers and forgets what subscriptions need."""

    def __init__(self, link: Link, publisher: Publisher) -> None:
        self._link = link
        self._publisher = publisher
        self._locks: dict[str, asyncio.Lock] = {}
        self._rungs = 0
        self._made: set[str] = set()
        self.entries: dict[str, Entry] = {}
        """Of those that were declared here."""

    async def prepare(self, channel: Channel) -> None:
        """Make what nothing works without, on a new connection."""
        self._rungs = 0
        self._made.clear()
        await channel.exchange_declare(EVENTS, exchange_type="topic", durable=True)

    # -- subscriptions ------------------------------------------------------------------------

    async def declare(self, subscriptions: Sequence[Subscription]) -> dict[str, Entry]:
        """Make subscriptions what they are to be; their queues are there when this returns."""
        if not subscriptions:
            return {}
        known = await self.all()
        wanted = {it.name: _wanted(it, known.get(it.name)) for it in subscriptions}
        for name, entry in wanted.items():  # the slow part, while others may have the registry
            wanted[name] = await self._make_queues(name, entry)
            await self._make_aside(dead_queue(name), {})
            await self._make_aside(attempts_queue(name), BOOK)
        async with self._registry() as (channel, registry):
            found = registry.subscriptions
            for it in subscriptions:
                made = wanted[it.name]
                entry = _wanted(it, found.get(it.name), made.version)
                if entry.version != made.version:
                    entry = await self._make_queues(it.name, entry)
                wanted[it.name] = entry
            if any(found.get(name) != entry for name, entry in wanted.items()):
                await self._write(channel, registry, {**found, **wanted})
            for name, entry in wanted.items():
                await self._bind(name, entry)
        self.entries.update(wanted)
        return wanted

    async def entry(self, name: str) -> Entry:
        """A subscription's place in the registry.

        Raises:
            BusUnavailable: there is none of that name.
        """
        if (known := self.entries.get(name)) is not None:
            return known
        found = (await self.all()).get(name)
        if found is None:
            raise BusUnavailable(f"there is no subscription {name!r}")
        return found

    async def all(self) -> dict[str, Entry]:
        """The whole registry."""
        async with self._registry() as (_, registry):
            return registry.subscriptions

    async def forget(self, name: str) -> None:
        """Delete a subscription's queues, what is in them, and its place in the registry."""
        self.entries.pop(name, None)
        aside = (dead_queue(name), attempts_queue(name))
        self._made.difference_update(aside)
        async with self._registry() as (channel, registry):
            entry = registry.subscriptions.get(name)
            if entry is None:
                return
            for queue in (*queues_of(name, entry), *entry.retired, *aside):
                await self.delete(queue)
            kept = {n: e for n, e in registry.subscriptions.items() if n != name}
            await self._write(channel, registry, kept)

    async def retire(self, name: str, queue: str) -> None:
        """Delete an old queue of a subscription that is empty, and strike it off."""
        await self.delete(queue)
        async with self._registry() as (channel, registry):
            entry = registry.subscriptions.get(name)
            if entry is not None and queue in entry.retired:
                left = tuple(it for it in entry.retired if it != queue)
                changed = {**registry.subscriptions, name: replace(entry, retired=left)}
                await self._write(channel, registry, changed)

    async def delete(self, queue: str) -> None:
        async with self.channel("deleting a queue") as channel:
            await channel.queue_delete(queue)

    async def _make_queues(self, name: str, entry: Entry) -> Entry:
        while True:
            try:
                async with self.channel("declaring queues", answers=True) as channel:
                    plain = _durable(channel)
                    single = {**plain, "x-single-active-consumer": True}
                    for number, queue in enumerate(queues_of(name, entry)):
                        arguments = single if number else plain
                        await channel.queue_declare(queue, durable=True, arguments=arguments)
            except ChannelPreconditionFailed:
                if entry.version >= _NEWEST:
                    raise
                entry = replace(entry, version=entry.version + 1)
            else:
                return entry

    async def _bind(self, name: str, entry: Entry) -> None:
        """Make the bindings what the registry says; each of these may be so already."""
        async with self.channel("binding queues", patience=60.0) as channel:
            stem, *partitions = queues_of(name, entry)
            for topic in (address(name), *entry.topics):
                await channel.queue_bind(stem, EVENTS, topic, nowait=True)
                for number in range(PARTITIONS):
                    queue = partitions[number] if partitions else stem
                    await channel.queue_bind(queue, EVENTS, partition(topic, number), nowait=True)
                    if partitions:  # it may have been unordered before
                        await channel.queue_unbind(stem, EVENTS, partition(topic, number))
            gone = set(entry.ever) - set(entry.topics)
            for queue in (stem, *partitions):
                await _unbind(channel, queue, gone)
            for queue in entry.retired:
                await _unbind(channel, queue, {address(name), *entry.ever})
            await channel.basic_qos(prefetch_count=1)  # an answer: all of them are done

    # -- queues beside a subscription's own ---------------------------------------------------

    async def deposit(
        self,
        publisher: Publisher,
        queue: str,
        limits: Mapping[str, Any],
        properties: Basic.Properties,
        body: bytes,
    ) -> None:
        """Publish into a queue that is made again if somebody has deleted it."""
        while True:
            known = queue in self._made
            if not known:
                await self._make_aside(queue, limits)
            try:
                await publisher.send([Outgoing("", queue, properties, body, mandatory=True)])
            except Unroutable:  # somebody has deleted it since it was made here
                self._made.discard(queue)
                if not known:
                    raise
            else:
                return

    async def _make_aside(self, queue: str, limits: Mapping[str, Any]) -> None:
        """Have a queue beside a subscription's own; one that is there stays as it is."""
        try:
            async with self.channel("declaring a queue", answers=True) as channel:
                arguments = {**_durable(channel), **limits}
                await channel.queue_declare(queue, durable=True, arguments=arguments)
        except ChannelPreconditionFailed:  # an older version of us, or of the broker
            pass
        self._made.add(queue)

    # -- the ladder ---------------------------------------------------------------------------

    async def ladder(self, delay: float) -> tuple[str, dict[str, str]]:
        """The exchange to publish to for a delay, and the headers that say how long it is."""
        units = min(-int(-delay // UNIT), (1 << RUNGS) - 1) or 1
        rungs = units.bit_length()
        if rungs > self._rungs:
            await self._build(rungs)
            self._rungs = max(rungs, self._rungs)
        bits = {f"{DELAYS}{number}": str(units >> number & 1) for number in range(rungs)}
        return f"skerry.delay.{rungs - 1}", bits

    async def _build(self, rungs: int) -> None:
        async with self.channel("building the ladder of delays", patience=60.0) as channel:
            await channel.exchange_declare(_DUE, exchange_type="fanout", durable=True)
            await channel.queue_declare(_UNHEARD, durable=True, arguments={"x-message-ttl": 0})
            await channel.queue_bind(_UNHEARD, _DUE)
            await channel.exchange_bind(EVENTS, _DUE)
            below = _DUE
            for number in range(rungs):
                rung = f"skerry.delay.{number}"
                rest = {
                    **_durable(channel),
                    "x-message-ttl": round(UNIT * 1000) << number,
                    "x-dead-letter-exchange": below,
                    "x-dead-letter-strategy": "at-least-once",
                    "x-overflow": "reject-publish",
                }
                header = f"{DELAYS}{number}"
                await channel.queue_declare(rung, durable=True, arguments=rest)
                await channel.exchange_declare(rung, exchange_type="headers", durable=True)
                await channel.queue_bind(rung, rung, arguments={"x-match": "all", header: "1"})
                await channel.exchange_bind(below, rung, arguments={"x-match": "all", header: "0"})
                below = rung

    # -- locks, channels and the registry -----------------------------------------------------

    @asynccontextmanager
    async def channel(
        self, what: str, *, patience: float | None = 20.0, answers: bool = False
    ) -> AsyncIterator[Channel]:
        """A channel for a few calls; see ``reaching``."""
        channel = await self._link.channel()
        try:
            async with reaching(what, patience, answers=answers):
                yield channel
        finally:
            await hang_up(channel)

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        """One holder at a time among all processes; freed when its connection ends.

        Raises:
            BusUnavailable: others have held it for too long.
        """
        mine = self._locks.setdefault(name, asyncio.Lock())
        async with mine:  # the broker's locks belong to a connection, which tasks share
            queue = f"skerry.lock.{name}"
            await self._acquire(queue)
            try:
                yield
            finally:
                await asyncio.shield(self._release(queue))

    async def _acquire(self, queue: str) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _LOCK_WITHIN
        while True:
            try:
                async with self.channel("locking", answers=True) as channel:
                    await channel.queue_declare(queue, exclusive=True)
            except ChannelLockedResource:
                if loop.time() > deadline:
                    raise BusUnavailable(f"{queue} has been held for {_LOCK_WITHIN:g} s") from None
                await asyncio.sleep(random.uniform(0.01, 0.06))
            else:
                return

    async def _release(self, queue: str) -> None:
        try:
            await self.delete(queue)
        except BusUnavailable:
            return  # it is gone with the connection

    @asynccontextmanager
    async def _registry(self) -> AsyncIterator[tuple[Channel, Registry]]:
        """The registry, ours alone for the length of the block. Its message is unacknowledged
        on the channel."""
        async with self.lock("registry"), self.channel("the registry", patience=60.0) as channel:
            fresh = await self._is_missing(_REGISTRY)
            await channel.queue_declare(_REGISTRY, durable=True, arguments=_durable(channel))
            newest = await self._read(channel)
            for _ in range(0 if fresh else _RETURNED_WITHIN):
                if newest.serial:
                    break
                await asyncio.sleep(0.05)  # its last holder has died, or only just returned it
                newest = await self._read(channel)
            yield channel, newest

    async def _read(self, channel: Channel) -> Registry:
        newest = Registry()
        while True:
            found = await channel.basic_get(_REGISTRY)
            if not isinstance(found.delivery, Basic.GetOk):
                return newest
            read = msgspec.json.decode(found.body, type=Registry)
            newest = max(newest, read, key=lambda it: it.serial)

    async def _is_missing(self, queue: str) -> bool:
        try:
            async with self.channel("looking for a queue", answers=True) as channel:
                await channel.queue_declare(queue, passive=True)
        except ChannelNotFoundEntity:
            return True
        return False

    async def _write(
        self, channel: Channel, before: Registry, subscriptions: dict[str, Entry]
    ) -> None:
        """Replace the registry: first the new one is there, then the old one goes."""
        body = msgspec.json.encode(Registry(before.serial + 1, subscriptions))
        properties = Basic.Properties(delivery_mode=2, content_type="application/json")
        await self._publisher.send([Outgoing("", _REGISTRY, properties, body)])
        await channel.basic_ack(0, multiple=True)  # everything that was read


async def hang_up(channel: Channel) -> None:
    """Close a channel, whatever has become of it."""
    if channel.is_closed:
        return
    try:
        async with reaching("closing a channel", 3.0):
            await channel.close()
    except BusUnavailable:
        return


async def _unbind(channel: Channel, queue: str, topics: set[str]) -> None:
    for topic in topics:
        await channel.queue_unbind(queue, EVENTS, topic)
        for number in range(PARTITIONS):
            await channel.queue_unbind(queue, EVENTS, partition(topic, number))
