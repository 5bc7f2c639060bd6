"""Events: typed messages on a topic.

::

    @event("payments.settled", key="payment_id")
    class PaymentSettled(Struct):
        payment_id: str
        amount: Decimal

A type that is an endpoint's body can be an event: a struct, a dataclass, a Pydantic model. Its
topic and version go with every message, so that a handler knows what it is given: fields may
come and go as in any contract, and what old handlers could not read is a new version.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeVar

from skerry.contract.codec import Codec
from skerry.core.errors import ConfigError

T = TypeVar("T")

# What every broker can have in a routing key and a file name, and people in a command.
_TOPIC = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class EventType:
    """What is known of an event before there is one.

    Attributes:
        topic: ``payments.settled``: lower case, in words with dots.
        version: raised when handlers of the version before could not read it.
        type: of its body.
        key: the field whose value orders: events of one topic with equal keys are handled one
            after the other, in the order of publishing. Empty for no order.
    """

    topic: str
    version: int
    type: Any
    key: str = ""

    @property
    def name(self) -> str:
        """``payments.settled.v1``: the topic and version as one name."""
        return f"{self.topic}.v{self.version}"

    @property
    def codec(self) -> Codec[Any]:
        return Codec.of(self.type)

    def key_of(self, value: Any) -> str:
        """The key of one event as text; empty where the type has none."""
        if not self.key:
            return ""
        found = value[self.key] if isinstance(value, dict) else attrgetter(self.key)(value)
        return str(found)


def event(topic: str, *, version: int = 1, key: str = "") -> Callable[[type[T]], type[T]]:
    """Declare the decorated class as an event; see ``EventType``.

    Raises:
        ConfigError: the topic is not one, or the class has no field ``key``.
    """
    if not _TOPIC.fullmatch(topic) or len(topic) > _LONGEST:
        raise ConfigError(
            f"{topic!r} is no topic: lower-case words joined by dots, up to {_LONGEST} characters"
        )
    if version < 1:
        raise ConfigError(f"{topic}: versions begin at 1")

    def declare(kind: type[T]) -> type[T]:
        root = key.partition(".")[0]
        if key and root not in _fields(kind):
            raise ConfigError(f"{kind.__name__}: there is no field {root!r} to order by")
        kind.__event__ = EventType(topic, version, kind, key)  # type: ignore[attr-defined]
        return kind

    return declare


def event_type(kind: Any) -> EventType:
    """What ``@event`` has noted on a class.

    Raises:
        ConfigError: it is not on this very class.
    """
    found = vars(kind).get("__event__") if isinstance(kind, type) else None
    if not isinstance(found, EventType):
        name = getattr(kind, "__name__", repr(kind))
        raise ConfigError(f"{name} is no event; decorate it with @event('a.topic')")
    return found


def _fields(kind: type) -> set[str]:
    names: set[str] = set()
    for base in kind.__mro__:
        names |= set(vars(base).get("__annotations__", ()))
    return names
