"""A contract as plain data: what ``app`` builds from functions, and documents are made of.

It stands between the two so that neither knows the other: any source of operations can be
documented, and a function can be served without a document ever being made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

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


@dataclass(frozen=True, slots=True)
class Contract:
    """Everything one app promises.

    Attributes:
        version: of the contract, as in ``info.version``.
        description: CommonMark.
        base_problems: what any operation may answer.
    """

    name: str
    version: str
    description: str = ""
    operations: tuple[Operation, ...] = ()
    base_problems: tuple[type[Problem], ...] = ()
