"""One attempt of a handler at one event: what goes through a consumer's stack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
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


class Write(Protocol):
    """Runs ``work(session, ...)`` in the transaction that also says that the event is done."""

    def __call__(
        self, work: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Awaitable[Any]: ...


class Attempt:
    """What a handler may ask for, to know of its event more than the event says.

    Attributes:
        message: the event's envelope.
        event: the event, decoded.
        handler: ``ledger.book_payment``.
        number: 1 for the first attempt; those that ended in a crash are counted.
    """

    __slots__ = ("_write", "delivery", "event", "handler", "message", "number")

    def __init__(self, delivery: Delivery, event: Any, handler: str) -> None:
        self.delivery = delivery
        self.message: Message = delivery.message
        self.event = event
        self.handler = handler
        self.number = delivery.attempt
        self._write: Write | None = None

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
        if self._write is None:
            raise ConfigError(
                f"{self.handler}: there is no transaction to write in (the app has no Database "
                "resource, or the event's one transaction is over)"
            )
        write, self._write = self._write, None
        return await write(work, *args, **kwargs)

    @property
    def written(self) -> bool:
        """Whether ``write`` has been called."""
        return self._write is None

    def __repr__(self) -> str:
        return f"Attempt({self.handler}, {self.message.topic} {self.id}, {self.number})"
