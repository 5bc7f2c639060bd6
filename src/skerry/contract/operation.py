"""A contract as plain data: what ``app`` builds from functions, and documents are made of.

It stands between the two so that neither knows the other: any source of operations can be
documented, and a function can be served without a document ever being made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from skerry.core.errors import Problem

Where = Literal["path", "query", "header", "cookie"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument that comes as text.

    Attributes:
        name: on the wire; headers in lower case.
        type: what the text means; lists take every repeat.
        required: whether leaving it out is a fault.
        default: what the function gets without it, when not required.
    """

    name: str
    where: Where
    type: Any
    required: bool = True
    default: Any = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries.

    Attributes:
        type: of the body; of one item where ``stream`` is set; ``bytes`` for any media type
            that is not JSON.
        stream: item by item, as NDJSON.
    """

    type: Any
    media_type: str = "application/json"
    required: bool = True
    stream: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a successful response carries.

    Attributes:
        type: of the body, or of one item where ``stream`` is set; None for no body.
        media_type: None for no body.
        stream: item by item, as NDJSON or server-sent events.
    """

    status: int
    type: Any = None
    media_type: str | None = None
    stream: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint.

    Attributes:
        name: unique in its contract; what clients call the method.
        path: a template: ``/quotes/{id}``.
        summary: one line.
        description: the rest of the docstring, as CommonMark.
        problems: what it answers when it cannot do what was asked, beside the standard ones.
        strict: whether unknown fields in the body are refused.
    """

    name: str
    method: str
    path: str
    summary: str = ""
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    answer: Answer = Answer(204)
    problems: tuple[type[Problem], ...] = ()
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    strict: bool = False


class Event(Protocol):
    """What a contract says of an event; the bus has more to say.

    Attributes:
        topic: where it is published.
        version: of its type.
        type: of its body.
        key: the attribute that orders, with dots where it is inside another; empty for no order.
        name: topic and version: ``payments.settled.v1``.
    """

    @property
    def topic(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def type(self) -> Any: ...
    @property
    def key(self) -> str: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Reception:
    """A handler of events.

    Attributes:
        name: unique in its contract.
        summary, description: as those of an operation.
    """

    name: str
    events: tuple[Event, ...]
    summary: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Contract:
    """Everything one app promises.

    Attributes:
        version: of the contract, as in ``info.version``.
        description: CommonMark.
        base_problems: what any operation may answer.
        sends: the events it publishes.
        receives: its handlers of events, its own and others'.
    """

    name: str
    version: str
    description: str = ""
    operations: tuple[Operation, ...] = ()
    base_problems: tuple[type[Problem], ...] = ()
    sends: tuple[Event, ...] = ()
    receives: tuple[Reception, ...] = ()

    @property
    def has_events(self) -> bool:
        """Whether there is an AsyncAPI document of it."""
        return bool(self.sends or self.receives)
