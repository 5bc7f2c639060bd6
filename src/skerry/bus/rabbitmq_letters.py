"""Looking into queues, and dead letters.

AMQP has no way to read a message and leave it: it is taken and given back, which keeps its
place. Those that were sent ahead to a consumer cannot be seen by anybody else; nor can a
partition's, while it has a consumer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from aiormq.exceptions import ChannelNotFoundEntity
from msgspec.structs import replace
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from skerry.core.clock import system

from .driver import DeadLetter, Failure
from .message import Message
from .rabbitmq_attempts import Book, anew, mark_of
from .rabbitmq_envelope import (
    ATTEMPTS,
    EVENTS,
    WINDOW,
    address,
    count_of,
    message_of,
    properties_of,
    routing_key,
)
from .rabbitmq_link import PATIENCE, Channel
from .rabbitmq_publisher import Outgoing, Publisher
from .rabbitmq_topology import Topology, dead_queue

_FAILURE = "skerry-failure"
_DIED = "skerry-died"
_LONGEST_STACK = 24_000  # headers have to fit into a frame, 128 KiB by default
_LONGEST_REASON = 2_000
_LOOK = 0.3


@dataclass(frozen=True, slots=True)
class Found:
    """A message that was taken out of a queue for a look."""

    tag: int
    again: bool
    message: Message
    headers: Mapping[str, Any]


async def bury(
    topology: Topology,
    publisher: Publisher,
    subscription: str,
    message: Message,
    failure: Failure,
    attempts: int,
) -> None:
    """Put a message with the dead letters of a subscription; it is there when this returns."""
    headers = {
        ATTEMPTS: attempts,
        _DIED: repr(system.wall()),
        _FAILURE: msgspec.json.encode(_bounded(failure)).decode(),
    }
    properties = properties_of(message, headers)
    await topology.deposit(publisher, dead_queue(subscription), {}, properties, message.body)


async def dead(topology: Topology, subscription: str, limit: int) -> list[DeadLetter]:
    """The oldest dead letters, which stay where they are."""
    queue = dead_queue(subscription)
    async with topology.lock(queue):
        found = await look(topology, queue, limit)
    return [_letter(subscription, it) for it in found]


async def redrive(
    topology: Topology,
    publisher: Publisher,
    subscription: str,
    ids: Sequence[str],
    bodies: Mapping[str, bytes],
) -> int:
    """Publish dead letters to their subscription again; first they are there, then gone here."""
    queue, wanted, count = dead_queue(subscription), set(ids), 0
    if not wanted:
        return 0
    async with topology.lock(queue):
        what = f"reading {queue}"
        try:
            async with topology.channel(what, patience=None, answers=True) as channel:
                async for it in _taken(channel, queue):
                    if it.message.id not in wanted:
                        continue
                    message = replace(it.message, body=bodies.get(it.message.id, it.message.body))
                    await publisher.send([addressed(subscription, message)])
                    await channel.basic_ack(it.tag)
                    wanted.discard(message.id)
                    count += 1
                    if not wanted and not it.again:
                        break
                await _give_back(channel)
        except ChannelNotFoundEntity:
            return 0  # nothing has died yet
    return count


def addressed(subscription: str, message: Message, attempts: int = 0) -> Outgoing:
    """A message for one subscription alone."""
    key = routing_key(address(subscription), message.key)
    properties = properties_of(message, anew(attempts))
    return Outgoing(EVENTS, key, properties, message.body, mandatory=True)


async def look(topology: Topology, queue: str, limit: int, book: Book | None = None) -> list[Found]:
    """The first messages of a queue, which stay where they are; none if there is no queue.

    What was returned to a queue comes before the rest, in the order in which it was returned. So
    all of that is taken, to be returned in the order it has.
    """
    found: list[Found] = []
    what = f"looking into {queue}"
    try:
        async with topology.channel(what, patience=60.0, answers=True) as channel:
            async for it in _taken(channel, queue):
                found.append(it)
                if len(found) >= limit and not it.again:
                    break
            if book is not None:
                await book.note(_not_begun(found))
            await _give_back(channel)
    except ChannelNotFoundEntity:
        return []
    return found[:limit]


async def peek_into_partition(
    topology: Topology, book: Book, queue: str, limit: int
) -> list[Found]:
    """As ``look``, for a queue with a single active consumer: for a moment that is us, unless
    somebody else is."""
    found: list[Found] = []
    enough = asyncio.Event()

    def arrive(deliver: Basic.Deliver, header: ContentHeader, body: bytes) -> None:
        found.append(_found(deliver, header.properties, body))
        if len(found) >= least:
            enough.set()

    async def unused(_: object) -> None: ...

    async with topology.channel(f"looking into {queue}") as channel:
        declared = await channel.queue_declare(queue, passive=True)
        least = min(limit, WINDOW, declared.message_count or 0)
        if not least or declared.consumer_count:
            return []
        channel.deliver = arrive
        await channel.basic_qos(prefetch_count=WINDOW)
        await channel.basic_consume(queue, unused)
        try:
            async with asyncio.timeout(_LOOK):
                await enough.wait()
        except TimeoutError:
            pass  # a consumer came first
        await book.note(_not_begun(found))
    return found[:limit]


async def _taken(channel: Channel, queue: str) -> AsyncIterator[Found]:
    """The messages of a queue, one after the other, unacknowledged on this channel."""
    while True:
        got = await channel.basic_get(queue, timeout=PATIENCE)
        if not isinstance(got.delivery, Basic.GetOk):
            return
        yield _found(got.delivery, got.header.properties, got.body)


async def _give_back(channel: Channel) -> None:
    """Everything that is unacknowledged on this channel: to where it was, in its order."""
    await channel.basic_nack(0, multiple=True, requeue=True)
    await channel.basic_qos(prefetch_count=1)  # an answer: it has been done


def _found(
    delivery: Basic.GetOk | Basic.Deliver, properties: Basic.Properties, body: bytes
) -> Found:
    message = message_of(delivery, properties, body)
    again = bool(delivery.redelivered)
    return Found(delivery.delivery_tag or 0, again, message, dict(properties.headers or {}))


def _not_begun(found: Sequence[Found]) -> dict[str, int]:
    """For the book: those that are here for the first time. It knows the others, or need not."""
    return {
        mark_of(it.message.id, it.headers): count_of(it.headers, ATTEMPTS)
        for it in found
        if not it.again
    }


def _bounded(failure: Failure) -> Failure:
    stack = failure.stack
    if len(stack) > _LONGEST_STACK:
        stack = stack[: _LONGEST_STACK // 4] + "\n…\n" + stack[-_LONGEST_STACK * 3 // 4 :]
    reason = failure.reason[:_LONGEST_REASON]
    return Failure(_text(reason), _text(failure.error), _text(stack), failure.permanent)


def _text(text: str) -> str:
    """As it is, but for what is no text: bytes of file names in an error, say."""
    return text.encode("utf-8", "backslashreplace").decode()


def _letter(subscription: str, found: Found) -> DeadLetter:
    try:
        failure = msgspec.json.decode(str(found.headers.get(_FAILURE)), type=Failure)
    except msgspec.DecodeError:
        failure = Failure("nobody has said why: it was put here by another program")
    try:
        died = float(str(found.headers.get(_DIED)))
    except ValueError:
        died = found.message.time
    attempts = count_of(found.headers, ATTEMPTS)
    return DeadLetter(found.message, subscription, failure, attempts, died)
