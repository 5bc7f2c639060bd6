"""A contract as it will be in Python: what ``plan`` decides, as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .shapes import (
    Answer,
    Api,
    Argument,
    ListOf,
    Literals,
    MapOf,
    Nullable,
    Operation,
    Payload,
    Ref,
    Scalar,
    Shape,
    TupleOf,
    Union,
)

UNSET_DEFAULT: Any = type("_Unset", (), {"__repr__": lambda self: "UNSET"})()


@dataclass(slots=True)
class PyField:
    """A field of a class. ``default`` is NO_DEFAULT where it must be given, UNSET_DEFAULT where
    it may be absent."""

    name: str
    wire: str
    shape: Shape
    default: Any
    doc: str


@dataclass(slots=True)
class PyRecord:
    """``const`` is the attribute that says the tag, and stands for no field; ``core`` where
    Skerry has the class already; ``event`` where it is one."""

    name: str
    doc: str
    fields: list[PyField]
    tag_field: str = ""
    tag: str = ""
    const: str = ""
    rename: str = ""
    core: bool = False
    event: PyEvent | None = None


@dataclass(frozen=True, slots=True)
class PyEvent:
    """What ``@event`` is told; ``key`` are attributes, with dots."""

    topic: str
    version: int
    key: str


@dataclass(slots=True)
class PyEnum:
    name: str
    doc: str
    members: list[tuple[str, str | int]]


@dataclass(slots=True)
class PyAlias:
    name: str
    doc: str
    shape: Shape


@dataclass(slots=True)
class PyProblem:
    """An exception; ``core`` where Skerry has it already."""

    name: str
    doc: str
    fields: list[PyField]
    status: int | None = None
    type: str = ""
    title: str = ""
    core: bool = False


@dataclass(slots=True)
class PyArgument:
    """An argument of a method: a parameter, or the body."""

    name: str
    source: Argument | Payload
    shape: Shape
    required: bool
    default: Any
    doc: str
    positional: bool


@dataclass(slots=True)
class PyOperation:
    name: str
    source: Operation
    arguments: list[PyArgument]
    answers: list[Answer]
    raises: list[tuple[int | str, list[PyProblem]]]


@dataclass(slots=True)
class Plan:
    """A contract, ready to be written or made.

    Attributes:
        classes: records, enumerations and aliases by key, in reading order.
    """

    api: Api
    app: str
    name: str
    classes: dict[str, PyRecord | PyEnum | PyAlias]
    problems: list[PyProblem]
    operations: list[PyOperation]
    _kinds: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def has_client(self) -> bool:
        """Whether there is anything to call; of an app that only sends, there are its events."""
        return bool(self.operations or not self.api.events)

    def native(self, shape: Union) -> bool:
        """Whether msgspec can tell the members apart: by their JSON kind, or by one tag."""
        kinds: set[str] = set()
        tagged: set[tuple[str, str]] = set()
        for member in self.expanded(shape.members):
            record = self.record(member)
            if record is not None and record.tag_field:
                if tagged and record.tag_field not in {name for name, _ in tagged}:
                    return False
                if (record.tag_field, record.tag) in tagged:
                    return False
                tagged.add((record.tag_field, record.tag))
                continue
            own = self._json_kinds(member)
            if own & kinds or "any" in own:
                return False
            kinds |= own
        return not (tagged and "object" in kinds)

    def expanded(self, members: Iterable[Shape]) -> Iterator[Shape]:
        """The members of a union with those of the unions they name."""
        for member in members:
            named = self.classes.get(member.key) if isinstance(member, Ref) else None
            if isinstance(named, PyAlias) and isinstance(named.shape, Union):
                yield from self.expanded(named.shape.members)
            elif isinstance(member, Nullable):
                yield from self.expanded((member.inner,))
            elif isinstance(member, Union):
                yield from self.expanded(member.members)
            else:
                yield member

    def record(self, shape: Shape) -> PyRecord | None:
        found = self.classes.get(shape.key) if isinstance(shape, Ref) else None
        return found if isinstance(found, PyRecord) else None

    def _json_kinds(self, shape: Shape) -> frozenset[str]:
        match shape:
            case Scalar(kind) if kind in ("int", "float", "bool"):
                return frozenset({kind})
            case Scalar():
                return frozenset({"str"})
            case Literals(values):
                return frozenset({"str" if isinstance(v, str) else "int" for v in values})
            case ListOf() | TupleOf():
                return frozenset({"array"})
            case MapOf():
                return frozenset({"object"})
            case Ref(key):
                named = self.classes.get(key)
                if isinstance(named, PyRecord):
                    return frozenset({"object"})
                if isinstance(named, PyEnum):
                    text = isinstance(named.members[0][1], str)
                    return frozenset({"str" if text else "int"})
        return frozenset({"any"})
