"""One attempt of a handler at one event: what goes through a consumer's stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid5

from skerry.core.errors import ConfigError, Error

from .driver import Delivery
from .message import Message


class Permanent(Error):
    """Raised by a handler: this event will never be handled, so it goes to the dead letters now.

    Exceptions that are declared with ``@app.on(..., permanent=[...])`` mean the same.
    """


class Paused(Exception):
    """Nothing was tried, because what the handler depends on is known not to answer.

    Args:
        delay: seconds until it may be asked again.
    """

    def __init__(self, delay: float) -> None:
        super().__init__(f"paused for {delay:.3g} s")
        self.delay = delay


class GivenUp(Error):
    """No attempt is left: the event was buried before, and has come again because that was not yet
    known; or none of its attempts has come to an end, since their processes have."""


class Held(Protocol):
    """What says, in the app's own database, that an attempt is on: its place in the inbox."""

    async def write(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """``work(session, ...)`` in the transaction that also says that the event is done."""
        ...

    async def extend(self) -> None:
        """The handler is alive. ``LeaseLost`` if another has begun."""
        ...

    async def release(self, *, counts: bool) -> None:
        """The attempt is over; whether it was one."""
        ...

    async def give_up(self) -> None:
        """The event lies with the dead letters."""
        ...


class Attempt:
    """What a handler may ask for, to know of its event more than the event says.

    Attributes:
        message: the event's envelope.
        event: the event, decoded.
        handler: ``ledger.book_payment``.
        number: 1 for the first attempt; those that ended in a crash are counted.
        held: its place in the inbox; None in an app without a database.
        written: whether its one transaction is over.
    """

    __slots__ = ("delivery", "event", "handler", "held", "message", "number", "written")

    def __init__(self, delivery: Delivery, event: Any, handler: str) -> None:
        self.delivery = delivery
        self.message: Message = delivery.message
        self.event = event
        self.handler = handler
        self.number = delivery.attempt
        self.held: Held | None = None
        self.written = False

    def holds(self, place: Held) -> None:
        """Its effects are committed by ``place`` from now on."""
        self.held = place

    @property
    def id(self) -> str:
        """The event's id: the same in every attempt, for every handler."""
        return self.message.id

    def idempotency_key(self, purpose: str = "") -> str:
        """A key to hand on with what is done elsewhere: the same in every attempt of this
        handler at this event, and no other's.

        Args:
            purpose: tells calls apart where a handler makes several.
        """
        return str(uuid5(NAMESPACE_URL, f"skerry:{self.handler}:{self.id}:{purpose}"))

    async def write(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """``work(session, ...)`` in the one transaction of this event.

        What it writes, the events it publishes with that session, and that this handler has
        done this event, are committed together: once, however often it is delivered. So there
        is one such transaction for each event; what else is to be written belongs into it.

        Raises:
            ConfigError: the app has no database.
            LeaseLost: the event is somebody else's by now; nothing was written.
        """
        if self.held is None:
            raise ConfigError(
                f"{self.handler}: there is no transaction to write in; the app has no Database "
                "resource"
            )
        if self.written:
            raise ConfigError(f"{self.handler}: the event's one transaction is over")
        result = await self.held.write(work, *args, **kwargs)
        self.written = True
        return result

    def __repr__(self) -> str:
        return f"Attempt({self.handler}, {self.message.topic} {self.id}, {self.number})"
