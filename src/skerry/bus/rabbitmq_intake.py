"""Deliveries of one subscription in one process: those of its queues, their leases, and what part
of them is others'."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable

from skerry.core.errors import BusUnavailable, Unconfirmed

from .rabbitmq_attempts import Book
from .rabbitmq_envelope import WINDOW
from .rabbitmq_feed import Again, Bury, Entry, Feed, RabbitDelivery
from .rabbitmq_link import Link

log = logging.getLogger("skerry.bus")

BALANCE_EVERY = 5.0


class Intake:
    """Yields deliveries, at most ``prefetch`` at a time.

    Args:
        lease: seconds after which a delivery that nobody has ended or extended is offered again.
        consumers: how many intakes there are for this subscription, everywhere.
        again: publishes a message to this subscription, after a delay, with its attempts so far.
        bury: puts one to the dead letters.
    """

    def __init__(
        self,
        link: Link,
        queues: list[str],
        *,
        ordered: bool,
        prefetch: int,
        lease: float,
        book: Book,
        consumers: Callable[[], Awaitable[int]],
        again: Again,
        bury: Bury,
    ) -> None:
        self.link = link
        self.ordered = ordered
        self.lease = lease
        self.book = book
        self.again = again
        self.bury = bury
        self._consumers = consumers
        self.closed = False
        self.ready: deque[Entry] = deque()
        self.out = 0
        self._prefetch = prefetch
        self._changed = asyncio.Event()
        self._lent: dict[Entry, None] = {}  # in the order in which their leases end
        self._timer: asyncio.TimerHandle | None = None
        self._unknown: list[tuple[Entry, int]] = []
        self._looking: asyncio.Task[None] | None = None
        self._balancing: asyncio.Task[None] | None = None
        stem, *partitions = queues
        self.feeds = [Feed(self, stem, prefetch)]
        self.feeds += [Feed(self, queue, WINDOW, partition=True) for queue in partitions]

    def start(self) -> None:
        for feed in self.feeds:
            feed.start()
        if len(self.feeds) > 1:
            self._balancing = asyncio.create_task(self._balance(), name="balancing")

    async def _balance(self) -> None:
        """Now and then, let others have what partitions are more than our share.

        RabbitMQ gives a partition to whoever came first and leaves it there; so the first
        instance has all of them. One that is let go is the next's in the line, and we are last.
        """
        partitions = self.feeds[1:]
        while True:
            await asyncio.sleep(BALANCE_EVERY * random.uniform(0.8, 1.2))
            for feed in partitions:
                feed.stay()  # what could not leave by now has work that takes long
            busy = [feed for feed in partitions if feed.busy]
            if len(busy) < 2:
                continue
            try:
                others = await self._consumers()
            except BusUnavailable:
                continue
            share = -(-len(partitions) // max(others, 1))
            for feed in sorted(busy, key=lambda it: it.out)[: max(0, len(busy) - share)]:
                feed.leave()

    def __aiter__(self) -> Intake:
        return self

    async def __anext__(self) -> RabbitDelivery:
        while True:
            if self.closed:
                raise StopAsyncIteration
            while self.ready and self.out < self._prefetch:
                entry = self.ready.popleft()
                if entry.feed is None or entry.feed.parked(entry):
                    continue
                delivery = RabbitDelivery(entry)
                self.out += 1
                entry.feed.out += 1
                self.lend(entry)
                if entry.again:
                    await self._note(entry)
                entry.again = True
                if entry.delivery is delivery:
                    return delivery
            self._changed.clear()
            await self._changed.wait()

    async def _note(self, entry: Entry) -> None:
        """This attempt counts, even if it is this process's last."""
        try:
            await self.book.note({entry.mark: entry.attempts})
        except (BusUnavailable, Unconfirmed) as error:
            log.warning("an attempt at %s is not noted: %s", entry.message.id, error)

    def offer(self, entry: Entry) -> None:
        """It may be handed out, unless it still has to be looked up."""
        if not entry.missing:
            self.ready.append(entry)
            self.wake()

    def look_up(self, entry: Entry, otherwise: int) -> None:
        """Find out how often it was begun; ``otherwise`` is how often, if nobody knows."""
        self._unknown.append((entry, otherwise))
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_up())

    async def _look_up(self) -> None:
        try:
            while self._unknown:
                found, self._unknown = self._unknown, []
                known: dict[str, int] = {}
                try:
                    known = await self.book.read()
                except (BusUnavailable, Unconfirmed) as error:
                    log.warning("attempts are not known: %s", error)
                except Exception:
                    log.exception("attempts are not known")
                for entry, otherwise in found:
                    entry.attempts = known.get(entry.mark, entry.attempts + otherwise)
                    entry.missing = False
                    if entry.feed is not None and entry.feed.is_first(entry):
                        self.offer(entry)
        finally:
            self._looking = None

    def wake(self) -> None:
        self._changed.set()

    def lend(self, entry: Entry) -> None:
        """Begin an entry's lease, or begin it anew."""
        self._lent.pop(entry, None)
        self._lent[entry] = None
        entry.expires = time.monotonic() + self.lease
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.lease, self._tick)

    def back(self, entry: Entry) -> None:
        """It is out no more."""
        del self._lent[entry]
        entry.delivery = None
        self.out -= 1
        self.wake()

    def _tick(self) -> None:
        self._timer = None
        self.expire()
        if self._lent:
            until = next(iter(self._lent)).expires - time.monotonic()
            self._timer = asyncio.get_running_loop().call_later(until, self._tick)

    def expire(self) -> None:
        """Take back what nobody has ended in time, and offer it again."""
        now = time.monotonic()
        while self._lent and (entry := next(iter(self._lent))).expires <= now:
            if entry.feed is not None:
                entry.feed.hold(entry, 0.0)

    def waiting(self) -> list[Entry]:
        """What is here and not out."""
        return [entry for feed in self.feeds for entry in feed.waiting()]

    def drop(self) -> int:
        """Acknowledge what is here and not out; how many that were."""
        return sum(feed.drop() for feed in self.feeds)

    async def close(self) -> None:
        """Take nothing more. Feeds go as soon as nothing of theirs is out."""
        self._end()
        for feed in self.feeds:
            feed.drain()
        idle = [feed.task for feed in self.feeds if feed.task is not None and not feed.out]
        if idle:
            await asyncio.wait(idle, timeout=3.0)

    async def abort(self) -> None:
        """Let go of everything at once; what was acknowledged has been sent before."""
        self._end()
        for feed in self.feeds:
            feed.drain(at_once=True)
        tasks = [feed.task for feed in self.feeds if feed.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=3.0)
        for task in tasks:
            task.cancel()

    def _end(self) -> None:
        self.closed = True
        self.wake()
        if self._balancing is not None:
            self._balancing.cancel()

    @property
    def active(self) -> bool:
        return any(feed.task is not None and not feed.task.done() for feed in self.feeds)
