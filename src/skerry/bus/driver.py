"""What every broker's driver does; the same suite (``skerry.testing.bus``) asks all of them.

A *subscription* is a durable queue that belongs to one handler, shared by all its instances. A
driver promises:

- A published message is accepted when ``publish`` returns: from then on it survives ``kill -9``
  of everything, and is delivered at least once to each subscription of its topic that existed.
- A *delivery* is leased: it is nobody else's while its holder is alive and says so. It ends with
  exactly one of ``ack``, ``retry`` and ``bury``; if its holder dies or loses the lease, it is
  delivered again, with ``attempt`` counted up.
- Two deliveries of one subscription with the same key are never out at the same time, in the
  whole fleet, and come in the order of publishing. One that waits to be tried again holds up
  those behind it with its key, and no others. A buried one does not hold up anybody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from skerry.core.errors import Error

from .message import Message


@dataclass(frozen=True, slots=True)
class Subscription:
    """A handler's place at the broker.

    Attributes:
        name: ``ledger.book_payment``: app and handler; the queue's name for good.
        topics: what it hears.
        ordered: whether keys count; without, messages of one key are handled side by side.
        lease: seconds without a heartbeat after which somebody else may take a delivery.
    """

    name: str
    topics: tuple[str, ...]
    ordered: bool = True
    lease: float = 30.0


class Failure(Struct, frozen=True):
    """Why a delivery did not end well.

    Attributes:
        reason: for a person, in a line.
        error: the exception's type; empty where there was none.
        stack: its traceback.
        permanent: trying again would not have helped.
    """

    reason: str
    error: str = ""
    stack: str = ""
    permanent: bool = False


class DeadLetter(Struct, frozen=True):
    """A message that nobody will be given again unless somebody says so.

    Attributes:
        subscription: whose it was.
        attempts: how often it was tried.
        died: when, in Unix seconds.
    """

    message: Message
    subscription: str
    failure: Failure
    attempts: int
    died: float


class QueueInfo(Struct, frozen=True):
    """The state of one subscription.

    Attributes:
        ready: messages waiting for a handler.
        delayed: waiting for their time, published late or to be tried again.
        leased: out with a handler.
        dead: buried.
        oldest: Unix seconds of the oldest that waits; None if none does.
        consumers: who takes from it now, as far as the broker knows.
        whole: False where the broker does not tell what is delayed, leased or oldest: then
            those are what this process knows of itself.
    """

    subscription: str
    topics: tuple[str, ...]
    ready: int
    delayed: int
    leased: int
    dead: int
    oldest: float | None = None
    consumers: int | None = None
    whole: bool = True


class LeaseLost(Error):
    """The delivery is somebody else's by now; what was done for it must not count."""


class Delivery(Protocol):
    """One attempt at one message.

    Attributes:
        attempt: 1 for the first; attempts that ended in a crash have been counted.
    """

    @property
    def message(self) -> Message: ...

    @property
    def attempt(self) -> int: ...

    async def ack(self) -> None:
        """It has been handled. ``LeaseLost`` if that is no longer for us to say."""
        ...

    async def retry(self, delay: float, *, counts: bool = True) -> None:
        """Deliver it again after ``delay`` seconds.

        Args:
            counts: whether this was an attempt; not so where its handler was never begun.
        """
        ...

    async def bury(self, failure: Failure) -> None:
        """Put it with the dead letters: first it is there, then it is gone from here."""
        ...

    async def extend(self) -> None:
        """Say that its handler is alive. ``LeaseLost`` if it comes too late."""
        ...


class Driver(Protocol):
    """A broker. Its methods raise ``BusUnavailable`` while it cannot be reached; what it was
    told before holds, and it is reached again without anybody's doing."""

    async def open(self) -> None:
        """Connect. Before the first of all other calls, in the event loop they will come from.

        Asked again, it only says whether the broker can be reached.
        """
        ...

    async def close(self) -> None:
        """Let go of the broker; deliveries that are out will be delivered again."""
        ...

    async def declare(self, subscriptions: Sequence[Subscription]) -> None:
        """Make sure that these exist; from then on they are given what is published.

        Whatever their topics were before, they are these now.
        """
        ...

    async def publish(self, messages: Sequence[Message], *, delay: float = 0.0) -> None:
        """Have all of them accepted, in this order. Published twice is delivered twice.

        Args:
            delay: seconds that pass before they are delivered. Only then do they take their
                place in the order of their keys; until then they hold up nobody.

        Raises:
            BusUnavailable: none of them was accepted.
            Unconfirmed: nobody knows which of them were.
        """
        ...

    def consume(
        self, subscription: Subscription, prefetch: int
    ) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        """Deliveries of a declared subscription, at most ``prefetch`` of them out at a time.

        The iterator waits while there is nothing and goes on after the broker was away. At the
        block's end nothing new is taken; those that are out may still be ended.
        """
        ...

    async def queues(self, names: Collection[str] | None = None) -> list[QueueInfo]:
        """The state of every subscription there is, or of those of ``names`` that there are."""
        ...

    async def peek(self, subscription: str, limit: int = 20) -> list[Message]:
        """The next messages that wait, oldest first; they stay where they are."""
        ...

    async def dead(self, subscription: str, limit: int = 100) -> list[DeadLetter]:
        """The oldest dead letters; they stay where they are."""
        ...

    async def redrive(
        self, subscription: str, ids: Sequence[str], bodies: Mapping[str, bytes] = {}
    ) -> int:
        """Deliver dead letters again, to the subscription they died in, with attempts at 0.

        Args:
            ids: of messages; those that are not there any more are left out.
            bodies: to put in place of their own, by id.

        Returns:
            how many were put back.
        """
        ...

    async def purge(self, subscription: str, *, dead: bool) -> int:
        """Delete what waits, or what is dead, of a subscription; how many that was."""
        ...

    async def forget(self, subscription: str) -> None:
        """Delete a subscription and everything in it."""
        ...
