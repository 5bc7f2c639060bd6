"""Consuming from the embedded bus: what is taken ahead, and what each delivery comes to."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import json

from skerry.core.failpoint import hit

from .driver import Failure, LeaseLost, Subscription
from .embedded_ops import ACK, BURY, EXTEND, RETRY, Claim, Claimed, End, Taken, new_consumer
from .embedded_writer import Op
from .message import Message

_BEATS = 3  # in a lease, for what has been taken and not asked for


class Feed:
    """One ``consume`` block. Iterate over it for its deliveries.

    Args:
        submit: hands operations to the writer, with all others of this turn of the loop.
        offer: has ``claim`` called when the operations of this turn are gathered.
    """

    def __init__(
        self,
        subscription: Subscription,
        prefetch: int,
        submit: Callable[[Op], None],
        offer: Callable[[Feed], None],
    ) -> None:
        self.id = new_consumer()
        self.subscription = subscription
        self.number = 0  # the subscription's, in the file
        self.closed = False
        self._prefetch = max(1, prefetch)
        self._submit = submit
        self._offer = offer
        self._leases = 0
        self._out: set[EmbeddedDelivery] = set()
        self._ahead: deque[EmbeddedDelivery] = deque()
        self._arrived: asyncio.Future[None] | None = None
        self._claiming = False
        self._more = True  # there may be something that nobody would wake us for
        self._timer: asyncio.TimerHandle | None = None
        self._beat: asyncio.TimerHandle | None = None

    def __aiter__(self) -> Feed:
        return self

    async def __anext__(self) -> EmbeddedDelivery:
        while True:
            while self._ahead:
                delivery = self._ahead.popleft()
                if delivery.until > time.time():
                    return delivery
                self.forget(delivery)
            if self.closed:
                raise StopAsyncIteration
            self.look()
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived

    @property
    def idle(self) -> bool:
        return self.closed and not self._out

    def look(self) -> None:
        """There may be something to take."""
        self._more = True
        self._offer(self)

    def claim(self) -> Op | None:
        """What to ask for now, if anything."""
        want = self._prefetch - len(self._out)
        if self.closed or self._claiming or not self._more or want <= 0 or not self.number:
            return None
        self._claiming = True
        self._more = False
        self._leases += 1
        lease = self.id << 32 | self._leases
        return Op(Claim(self.id, self.number, want, lease, self.subscription.lease), self._claimed)

    def _claimed(self, result: Any) -> None:
        self._claiming = False
        if not isinstance(result, Taken):  # the broker is away; the next round looks again
            self._more = True
            return
        self._more |= result.more
        for claimed in result.claimed:
            delivery = EmbeddedDelivery(self, claimed)
            self._out.add(delivery)
            self._ahead.append(delivery)
        if self.closed:
            self._give_back()
            return
        if self._ahead:
            self._arrive()
            if self._beat is None:
                self._schedule_beat()
        if result.next is not None:
            self._wait_until(result.next)
        if self._more:
            self._offer(self)

    def _arrive(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def _wait_until(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay = max(0.0, when - time.time()) + 0.001
        self._timer = asyncio.get_running_loop().call_later(delay, self.look)

    def _schedule_beat(self) -> None:
        loop = asyncio.get_running_loop()
        self._beat = loop.call_later(self.subscription.lease / _BEATS, self._extend_ahead)

    def _extend_ahead(self) -> None:
        """What waits here for its handler is in good hands."""
        self._beat = None
        for delivery in self._ahead:
            self.end(delivery, EXTEND, self._until())
        if self._ahead:
            self._schedule_beat()

    def _until(self) -> float:
        return time.time() + self.subscription.lease

    def end(
        self,
        delivery: EmbeddedDelivery,
        verb: str,
        at: float = 0.0,
        *,
        counts: bool = True,
        failure: bytes = b"",
    ) -> asyncio.Future[None]:
        """Say how a delivery has ended, or that it goes on."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if verb == EXTEND:
            at = self._until()
        else:
            # Its place is free for what is claimed in the same group, or later.
            self._out.discard(delivery)
        end = End(delivery.claimed, verb, at, counts, failure)
        self._submit(Op(end, partial(self._ended, delivery, end, done)))
        if verb != EXTEND and (self._more or delivery.message.key or verb == RETRY):
            self.look()
        return done

    def _ended(
        self, delivery: EmbeddedDelivery, end: End, done: asyncio.Future[None], result: Any
    ) -> None:
        if result is None:
            if end.verb == EXTEND:
                delivery.until = end.at
            else:
                delivery.ended = True
        elif isinstance(result, LeaseLost):
            delivery.ended = True
            self.forget(delivery)
        if not done.done():
            if result is None:
                done.set_result(None)
            else:
                done.set_exception(result)
                done.exception()  # what was taken ahead has nobody who waits

    def forget(self, delivery: EmbeddedDelivery) -> None:
        """It is not ours any more; its place is free."""
        self._out.discard(delivery)
        if delivery in self._ahead:
            self._ahead.remove(delivery)
        if self._more:
            self._offer(self)

    def check(self) -> None:
        """Once in a while: what was not ended in time is not ours, whether we were told or not."""
        now = time.time()
        for delivery in [d for d in self._out if d.until <= now]:
            self.forget(delivery)
        if self.number and len(self._out) < self._prefetch:
            self.look()

    def close(self) -> None:
        """Take nothing new; give back what nobody has asked for."""
        self.closed = True
        for timer in (self._timer, self._beat):
            if timer is not None:
                timer.cancel()
        self._give_back()
        self._arrive()

    def _give_back(self) -> None:
        while self._ahead:
            self.end(self._ahead.popleft(), RETRY, counts=False)


class EmbeddedDelivery:
    """See ``Delivery``."""

    __slots__ = ("_feed", "claimed", "ended", "until")

    def __init__(self, feed: Feed, claimed: Claimed) -> None:
        self._feed = feed
        self.claimed = claimed
        self.until = claimed.until
        self.ended = False

    @property
    def message(self) -> Message:
        return self.claimed.message

    @property
    def attempt(self) -> int:
        return self.claimed.attempt

    async def ack(self) -> None:
        hit("driver.before_ack")
        await self._end(ACK)
        hit("driver.after_ack")

    async def retry(self, delay: float, *, counts: bool = True) -> None:
        await self._end(RETRY, time.time() + delay if delay > 0 else 0.0, counts=counts)

    async def bury(self, failure: Failure) -> None:
        await self._end(BURY, failure=json.encode(_clean(failure)))

    async def extend(self) -> None:
        await self._end(EXTEND)

    async def _end(self, verb: str, at: float = 0.0, **options: Any) -> None:
        if self.ended:
            raise LeaseLost(f"{self.message.id} is no longer ours")
        await self._feed.end(self, verb, at, **options)

    def __repr__(self) -> str:
        return f"<{self.message.topic} {self.message.id}, attempt {self.attempt}>"


def _clean(failure: Failure) -> Failure:
    """Exceptions may hold text that is none, such as undecodable names of files."""

    def text(found: str) -> str:
        return found.encode("utf-8", "backslashreplace").decode()

    return Failure(
        text(failure.reason), text(failure.error), text(failure.stack), failure.permanent
    )
