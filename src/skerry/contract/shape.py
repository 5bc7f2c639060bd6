"""What a type means, once its spelling is out of the way.

Structs, dataclasses, TypedDicts and attrs classes are all records; ``Optional``, ``Union`` and
``|`` are all unions. Everything that walks types (the checks, the explanation of faults, JSON
Schema, text) walks these eight classes instead. ``reader`` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from msgspec import NODEFAULT

from .rules import Notes, Rule


@dataclass(eq=False, slots=True, weakref_slot=True)
class Shape:
    """The root; equality is identity, because records refer to themselves.

    Attributes:
        type: the type it was read from, as msgspec takes it.
    """

    type: Any

    @property
    def kind(self) -> str:
        """The word by which rules know what they apply to."""
        return type(self).__name__.lower()


@dataclass(eq=False, slots=True)
class Anything(Shape):
    """Any JSON value."""

    @property
    def kind(self) -> str:
        return "any"


@dataclass(eq=False, slots=True)
class Scalar(Shape):
    """A value without parts.

    Attributes:
        name: null, bool, int, float, decimal, str, bytes, datetime, date, time, timedelta, uuid.
    """

    name: str

    @property
    def kind(self) -> str:
        return self.name


@dataclass(eq=False, slots=True)
class Choice(Shape):
    """One of some values: an Enum or a Literal.

    Attributes:
        values: as JSON has them.
    """

    values: tuple[Any, ...]


@dataclass(eq=False, slots=True)
class Array(Shape):
    """Any number of items of one shape.

    Attributes:
        unique: a set.
    """

    item: Shape
    unique: bool = False


@dataclass(eq=False, slots=True)
class Row(Shape):
    """A fixed number of items, each of its own shape: ``tuple[int, str]``."""

    items: tuple[Shape, ...]


@dataclass(eq=False, slots=True)
class Mapping(Shape):
    """An object with members of one shape."""

    key: Shape
    value: Shape


@dataclass(frozen=True, slots=True)
class Field:
    """A member of a record.

    Attributes:
        name: of the attribute.
        key: on the wire.
        default: NODEFAULT where there is none that can be written down.
    """

    name: str
    key: str
    shape: Shape
    required: bool
    default: Any = NODEFAULT


@dataclass(eq=False, slots=True)
class Record(Shape):
    """An object with named members.

    Attributes:
        fields: filled in after the record is made, since they may refer back to it.
        tag: (key, value) of the member that says which record this is, None without.
        closed: refuses fields it does not have.
        positional: written as an array, in the order of its fields.
        keyed: a dict in Python, too (TypedDict).
        hooked: runs code of its own when it is made, which may refuse.
    """

    fields: tuple[Field, ...] = ()
    tag: tuple[str, str | int] | None = None
    closed: bool = False
    positional: bool = False
    keyed: bool = False
    hooked: bool = False


@dataclass(eq=False, slots=True)
class Union(Shape):
    """One of several shapes, told apart by their JSON kinds or by a tag."""

    arms: tuple[Shape, ...] = ()


@dataclass(eq=False, slots=True)
class Model(Shape):
    """A Pydantic model, which validates itself."""


@dataclass(eq=False, slots=True)
class Limited(Shape):
    """A shape with constraints, or with something said about it."""

    shape: Shape
    rules: tuple[Rule, ...] = ()
    notes: Notes = field(default_factory=Notes)

    @property
    def kind(self) -> str:
        return self.shape.kind


def bare(shape: Shape) -> Shape:
    """The shape without its constraints and notes."""
    while isinstance(shape, Limited):
        shape = shape.shape
    return shape


def arms_of(shape: Shape) -> tuple[Shape, ...]:
    """The members of a union, or the shape alone."""
    inner = bare(shape)
    return inner.arms if isinstance(inner, Union) else (shape,)


def is_null(shape: Shape) -> bool:
    return isinstance(shape, Scalar) and shape.name == "null"


def children(shape: Shape) -> tuple[Shape, ...]:
    """The shapes directly inside a shape."""
    match shape:
        case Limited():
            return (shape.shape,)
        case Array():
            return (shape.item,)
        case Row():
            return shape.items
        case Mapping():
            return (shape.key, shape.value)
        case Record():
            return tuple(field.shape for field in shape.fields)
        case Union():
            return shape.arms
    return ()


def reachable(shape: Shape) -> list[Shape]:
    """The shape and everything inside it, each once, outermost first."""
    seen: dict[int, Shape] = {}
    waiting = [shape]
    while waiting:
        current = waiting.pop()
        if id(current) not in seen:
            seen[id(current)] = current
            waiting.extend(reversed(children(current)))
    return list(seen.values())
