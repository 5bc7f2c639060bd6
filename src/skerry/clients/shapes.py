"""What a contract says, in a few words of our own: neither JSON Schema nor Python yet.

``schemas`` and ``operations`` read documents into these; ``plan`` gives them Python names;
``generate`` writes them as text, and ``dynamic`` makes types of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

ScalarKind = Literal[
    "str",
    "int",
    "float",
    "bool",
    "bytes",
    "file",
    "date",
    "datetime",
    "time",
    "timedelta",
    "uuid",
    "decimal",
]


@dataclass(frozen=True, slots=True)
class Anything:
    """Any JSON value."""


@dataclass(frozen=True, slots=True)
class Scalar:
    kind: ScalarKind


@dataclass(frozen=True, slots=True)
class Literals:
    """One of a few strings and integers."""

    values: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Shape


@dataclass(frozen=True, slots=True)
class TupleOf:
    """An array with as many items as this, each of its own shape."""

    items: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    value: Shape


@dataclass(frozen=True, slots=True)
class Nullable:
    """Null, or the other."""

    inner: Shape


@dataclass(frozen=True, slots=True)
class Ref:
    """A named shape, by its key among ``Shapes``."""

    key: str


@dataclass(frozen=True, slots=True)
class Union:
    """One of several.

    Attributes:
        tag: the property that says which, where the contract names one.
        tags: its value for each member, by the key of the member's record.
    """

    members: tuple[Shape, ...]
    tag: str = ""
    tags: tuple[tuple[str, str], ...] = ()


Shape: TypeAlias = Anything | Scalar | Literals | ListOf | TupleOf | MapOf | Nullable | Ref | Union


class _NoDefault:
    def __repr__(self) -> str:
        return "NO_DEFAULT"


NO_DEFAULT: Any = _NoDefault()


@dataclass(slots=True)
class Field:
    """A property of a record, under its name on the wire."""

    name: str
    shape: Shape
    required: bool
    description: str = ""
    default: Any = NO_DEFAULT
    read_only: bool = False
    write_only: bool = False
    deprecated: bool = False


@dataclass(slots=True)
class Record:
    """An object with known fields."""

    name: str
    fields: list[Field]
    description: str = ""
    deprecated: bool = False


@dataclass(slots=True)
class Enumeration:
    """Named values, all strings or all integers."""

    name: str
    values: list[str | int]
    labels: list[str] = field(default_factory=list)
    description: str = ""


@dataclass(slots=True)
class Alias:
    """A name for a union."""

    name: str
    shape: Shape
    description: str = ""


Named: TypeAlias = Record | Enumeration | Alias
Where = Literal["path", "query", "header", "cookie"]


@dataclass(slots=True)
class Argument:
    """A parameter of an operation; ``mint`` marks an idempotency key."""

    name: str
    where: Where
    shape: Shape
    required: bool
    description: str = ""
    default: Any = NO_DEFAULT
    style: str = ""
    explode: bool | None = None
    deprecated: bool = False
    mint: bool = False


BodyKind = Literal["json", "form", "multipart", "text", "bytes", "lines"]


@dataclass(slots=True)
class Payload:
    """What a request carries; ``deep`` are fields of a form written ``field[key]=value``."""

    kind: BodyKind
    media_type: str
    shape: Shape
    required: bool
    description: str = ""
    deep: tuple[str, ...] = ()


AnswerKind = Literal["json", "text", "bytes", "items", "none", "redirect"]


@dataclass(slots=True)
class Answer:
    """What a status means. ``status`` is 200, ``"2XX"`` or ``"default"``."""

    status: int | str
    kind: AnswerKind
    shape: Shape
    media_type: str = ""
    description: str = ""


@dataclass(slots=True)
class Refusal:
    """A kind of error answer, by its key among ``Api.refusals``; see ``refusals``.

    Attributes:
        type: the problem's URI, where the contract fixes it.
        status: where the contract fixes it.
    """

    name: str
    fields: list[Field]
    description: str = ""
    type: str = ""
    title: str = ""
    status: int | None = None


@dataclass(slots=True)
class Operation:
    """One endpoint.

    Attributes:
        raises: keys of refusals by status; an empty key is an error whose body is not
            described.
    """

    id: str
    method: str
    path: str
    summary: str = ""
    description: str = ""
    deprecated: bool = False
    arguments: list[Argument] = field(default_factory=list)
    payload: Payload | None = None
    answers: list[Answer] = field(default_factory=list)
    raises: dict[int | str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Event:
    """A message that an app sends.

    Attributes:
        record: what it carries, by its key among the named shapes.
        key: the properties on the way to what orders it; empty for no order.
        description: what the message says of itself, beside what its record says.
    """

    topic: str
    version: int
    record: str
    key: tuple[str, ...] = ()
    description: str = ""


@dataclass(slots=True)
class Api:
    """A whole contract.

    Attributes:
        named: records, enumerations and aliases by key, in the order they are to be read in.
        refusals: kinds of error answers by key.
        left_out: operations that cannot be called from here, and messages that cannot be
            events, each with the reason.
    """

    title: str
    version: str
    description: str
    url: str
    digest: str
    operations: list[Operation]
    named: dict[str, Named]
    refusals: dict[str, Refusal]
    left_out: list[tuple[str, str]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
