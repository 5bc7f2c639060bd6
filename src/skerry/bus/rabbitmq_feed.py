"""One queue of a subscription, and what of it this process has.

A *feed* consumes its queue on a channel of its own. Its entries wait in *lanes*, one for each
key, so that two of a key are never out at the same time; the broker sees to it that a partition
has one consumer, and hands all of its unacknowledged messages to the next when that one is gone.

An entry that is to be tried again holds up its lane here, unacknowledged, until its time has
come; where order does not matter it goes back to the broker, onto the ladder of delays.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiormq.abc import ChannelFrame
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from skerry.core.errors import BusUnavailable, Unconfirmed
from skerry.core.failpoint import hit

from .driver import Failure, LeaseLost
from .message import Message
from .rabbitmq_attempts import Book, mark_of
from .rabbitmq_envelope import ATTEMPTS, count_of, message_of
from .rabbitmq_link import Channel, Link, reaching
from .rabbitmq_topology import hang_up

log = logging.getLogger("skerry.bus")

_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_BURY_AGAIN = 1.0

Again = Callable[[Message, float, int], Awaitable[None]]
Bury = Callable[[Message, Failure, int], Awaitable[None]]


class Owner(Protocol):
    """What a feed asks of the intake that it belongs to."""

    link: Link
    ordered: bool
    book: Book
    again: Again
    bury: Bury

    def offer(self, entry: Entry) -> None: ...

    def look_up(self, entry: Entry, otherwise: int) -> None: ...

    def lend(self, entry: Entry) -> None: ...

    def back(self, entry: Entry) -> None: ...

    def expire(self) -> None: ...

    def wake(self) -> None: ...


class Entry:
    """A message that the broker has given to this process."""

    __slots__ = (
        *("again", "attempts", "delivery", "expires", "feed", "held", "lane", "mark", "message"),
        *("missing", "tag"),
    )

    def __init__(
        self, feed: Feed, tag: int, message: Message, again: bool, headers: dict[str, Any]
    ) -> None:
        self.feed: Feed | None = feed
        self.tag = tag
        self.message = message
        self.again = again
        self.attempts = count_of(headers, ATTEMPTS)
        self.mark = mark_of(message.id, headers)
        self.lane = message.key if feed.intake.ordered else ""
        self.delivery: RabbitDelivery | None = None
        self.held = False
        self.missing = again
        """It is not yet known how often it was begun."""
        self.expires = 0.0


class RabbitDelivery:
    """See ``Delivery``."""

    __slots__ = ("_entry", "attempt", "message")

    def __init__(self, entry: Entry) -> None:
        entry.attempts += 1
        entry.delivery = self
        self.message = entry.message
        self.attempt = entry.attempts
        self._entry = entry

    def _held(self) -> Feed:
        entry, feed = self._entry, self._entry.feed
        if feed is not None and self._is_ours(feed):
            if entry.expires > time.monotonic():
                return feed
            feed.intake.expire()  # this process was stopped, or its loop did not turn
        raise LeaseLost(f"{self.message.id} is no longer ours")

    def _is_ours(self, feed: Feed) -> bool:
        return self._entry.feed is feed and self._entry.delivery is self

    async def ack(self) -> None:
        hit("driver.before_ack")
        self._held().end(self._entry)

    async def retry(self, delay: float, *, counts: bool = True) -> None:
        feed = self._held()
        entry = self._entry
        if not counts:
            entry.attempts -= 1
        if entry.lane:
            feed.hold(entry, delay)
            return
        try:
            await feed.intake.again(self.message, delay, entry.attempts)
        except (BusUnavailable, Unconfirmed):
            if self._is_ours(feed):
                feed.hold(entry, delay)
            return
        if self._is_ours(feed):
            feed.end(entry)

    async def bury(self, failure: Failure) -> None:
        feed = self._held()
        try:
            await feed.intake.bury(self.message, failure, self.attempt)
        except (BusUnavailable, Unconfirmed):
            if self._is_ours(feed):
                feed.hold(self._entry, _BURY_AGAIN)
            raise
        hit("driver.dead_letter")
        self._held().end(self._entry)

    async def extend(self) -> None:
        feed = self._held()
        await feed.ask()
        self._held()
        feed.intake.lend(self._entry)


class Feed:
    """One queue, consumed on one channel after the other."""

    def __init__(self, intake: Owner, queue: str, window: int, *, partition: bool = False) -> None:
        self.intake = intake
        self.queue = queue
        self._window = window
        self._partition = partition
        self.out = 0
        self.closing = False
        self.task: asyncio.Task[None] | None = None
        self._at_once = False
        self._leaving = False
        self._parked: list[Entry] = []
        self._tag = f"{queue}.{id(self):x}"
        self._channel: Channel | None = None
        self._entries: dict[int, Entry] = {}
        self._lanes: dict[str, deque[Entry]] = {}
        self._ended: list[int] = []
        self._floor = 0
        self._above: set[int] = set()
        self._dirty = asyncio.Event()

    def start(self) -> None:
        self.task = asyncio.create_task(self._run(), name=f"feed {self.queue}")

    def drain(self, *, at_once: bool = False) -> None:
        self.closing = True
        self._at_once = at_once
        self._dirty.set()

    # -- taking turns -------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether this process is the partition's consumer, and has something of it that does
        not wait for its time: that must not come earlier."""
        return bool(self._entries) and not any(entry.held for entry in self._entries.values())

    def leave(self) -> None:
        """Let another consumer have the queue, as soon as nothing of it is out."""
        self._leaving = True
        self._dirty.set()

    def stay(self) -> None:
        if self._leaving:
            self._leaving = False
            parked, self._parked = self._parked, []
            for entry in parked:
                self.intake.offer(entry)

    def parked(self, entry: Entry) -> bool:
        """Whether an entry must not be handed out, since the queue is to be left."""
        if self._leaving:
            self._parked.append(entry)
        return self._leaving

    # -- entries ------------------------------------------------------------------------------

    def _arrive(self, deliver: Basic.Deliver, header: ContentHeader, body: bytes) -> None:
        properties = header.properties
        message = message_of(deliver, properties, body)
        again, tag = bool(deliver.redelivered), deliver.delivery_tag or 0
        entry = Entry(self, tag, message, again, properties.headers or {})
        self._entries[tag] = entry
        lane = self._lanes.get(entry.lane) if entry.lane else None
        if again:
            self.intake.look_up(entry, 0 if lane is not None else 1)
        if lane is not None:
            lane.append(entry)
            return
        if entry.lane:
            self._lanes[entry.lane] = deque()
        self.intake.offer(entry)

    def end(self, entry: Entry) -> None:
        """It has been dealt with: acknowledge it, and let the next of its key go."""
        self._back(entry)
        self._acknowledge(entry)
        if entry.lane:
            lane = self._lanes[entry.lane]
            if lane:
                self.intake.offer(lane.popleft())
            else:
                del self._lanes[entry.lane]

    def hold(self, entry: Entry, delay: float) -> None:
        """Offer it again after some time; until then it holds up its lane."""
        self._back(entry)
        if self.closing:
            self._dirty.set()  # it goes back to the broker with the channel
            return
        if delay <= 0:
            self.intake.offer(entry)
            return
        entry.held = True
        asyncio.get_running_loop().call_later(delay, self._resume, entry)

    def _resume(self, entry: Entry) -> None:
        entry.held = False
        if entry.feed is self and not self.closing:
            self.intake.offer(entry)

    def _back(self, entry: Entry) -> None:
        self.out -= 1
        self.intake.back(entry)

    def _acknowledge(self, entry: Entry) -> None:
        entry.feed = None
        del self._entries[entry.tag]
        self._ended.append(entry.tag)
        self._dirty.set()

    def is_first(self, entry: Entry) -> bool:
        """Whether nothing of its key is before it."""
        return not entry.lane or entry not in self._lanes[entry.lane]

    def waiting(self) -> list[Entry]:
        """Entries that are here and not out, in the order in which they came."""
        return [entry for entry in self._entries.values() if entry.delivery is None]

    def drop(self) -> int:
        """Acknowledge those; how many they were."""
        dropped = self.waiting()
        for entry in dropped:
            self._acknowledge(entry)
        out = {entry.lane for entry in self._entries.values()}
        self._lanes = {lane: deque() for lane in self._lanes if lane in out}
        return len(dropped)

    async def ask(self) -> None:
        """Hear from the broker that this channel, and with it what was delivered, is alive."""
        channel = self._channel
        try:
            if channel is None:
                raise BusUnavailable("there is no channel")
            async with reaching("extending a lease"):
                await channel.basic_qos(prefetch_count=self._window)
        except BusUnavailable as error:
            raise LeaseLost(error.detail) from error

    # -- the channel --------------------------------------------------------------------------

    async def _run(self) -> None:
        pause = _PAUSE
        while not self.closing:
            began = time.monotonic()
            try:
                await self._consume()
            except BusUnavailable as error:
                if self.intake.link.up:  # or the link has said so
                    log.warning("%s: %s", self.queue, error)
            except Exception:
                log.exception("%s: taking deliveries failed; trying again", self.queue)
            pause = _PAUSE if time.monotonic() - began > _LONGEST_PAUSE else 2 * pause
            if not self.closing:
                self._dirty.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(pause, _LONGEST_PAUSE)):
                        await self._dirty.wait()

    async def _consume(self) -> None:
        channel = await self.intake.link.channel()
        channel.deliver = self._arrive
        channel.closing.add_done_callback(lambda _: self._lose(channel))
        # The queue was deleted, or its leader has moved: begin anew.
        channel.on_consumer_cancel_callbacks.add(lambda _: self._lose(channel))
        self._channel, self._floor = channel, 0
        try:
            async with reaching("consuming"):
                await channel.basic_qos(prefetch_count=self._window)
                await channel.basic_consume(self.queue, _nothing, consumer_tag=self._tag)
            await self._pump(channel)
        finally:
            await hang_up(channel)
            self._lose(channel)

    async def _pump(self, channel: Channel) -> None:
        """Send acknowledgements, all there are in one go, until the channel is to end."""
        while self._channel is channel:
            if self._ended:
                await self._flush(channel)
            elif (self.closing or self._leaving) and (self._at_once or not self.out):
                await self._note(self.waiting())
                await self._flush(channel)  # what has ended meanwhile
                return
            elif self.closing and not self._partition and self.waiting():
                await self._release(channel)
            else:
                self._dirty.clear()
                await self._dirty.wait()

    async def _flush(self, channel: Channel) -> None:
        if self._ended:
            async with reaching("acknowledging"):
                await channel.write(self._acknowledgements(channel.number))
            hit("driver.after_ack")

    async def _release(self, channel: Channel) -> None:
        """Give back what is not out, while others are. A partition goes as a whole."""
        async with reaching("giving back"):
            await channel.basic_cancel(self._tag)
            idle = self.waiting()
            await self._note(idle)
            for entry in idle:
                entry.feed = None
                self._above.add(entry.tag)
                del self._entries[entry.tag]
            nacks = [Basic.Nack(entry.tag, requeue=True) for entry in idle]
            frames = ChannelFrame.marshall(channel_number=channel.number, frames=nacks)
            await channel.write(frames.payload)

    async def _note(self, entries: list[Entry]) -> None:
        """Nobody has begun these; they are about to go back."""
        try:
            await self.intake.book.note({it.mark: it.attempts for it in entries if not it.missing})
        except (BusUnavailable, Unconfirmed) as error:
            log.warning("%s: attempts are not noted: %s", self.queue, error)

    def _acknowledgements(self, number: int) -> bytes:
        """One frame for all up to the first that is still here, one for each beyond."""
        ended, self._ended = self._ended, []
        above, floor = self._above, self._floor
        above.update(ended)
        while floor + 1 in above:
            floor += 1
            above.remove(floor)
        acks = [Basic.Ack(tag) for tag in ended if tag > floor]
        # The last of a frame for many must be one that is still unacknowledged.
        if (last := max((tag for tag in ended if tag <= floor), default=0)) > 0:
            acks.insert(0, Basic.Ack(last, multiple=True))
        self._floor = floor
        return ChannelFrame.marshall(channel_number=number, frames=acks).payload

    def _lose(self, channel: Channel) -> None:
        """The channel is gone, and everything that was delivered on it is the broker's again."""
        if self._channel is not channel:
            return
        self._channel = None
        for entry in self._entries.values():
            if entry.delivery is not None:
                self._back(entry)
            entry.feed = None
        self._leaving = False
        self._parked.clear()
        self._entries.clear()
        self._lanes.clear()
        self._ended.clear()
        self._above.clear()
        self._dirty.set()
        self.intake.wake()


async def _nothing(message: object) -> None:
    """Deliveries go to ``Channel.deliver``."""
