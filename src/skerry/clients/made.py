"""A plan made into types: what ``generate`` writes down, without the writing.

No source is put together and run: a contract comes from another machine.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum, StrEnum
from functools import reduce
from inspect import Parameter, Signature
from operator import or_
from types import MappingProxyType, new_class
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct, UnsetType

from skerry.bus.event import event
from skerry.core import errors
from skerry.core.errors import Problem

from . import bodies, parts
from .endpoint import Endpoint, Redirect
from .endpoints import accept_of, style_of
from .items import Items
from .oneof import one_of
from .pythonic import (
    UNSET_DEFAULT,
    Plan,
    PyAlias,
    PyArgument,
    PyEnum,
    PyField,
    PyOperation,
    PyProblem,
    PyRecord,
)
from .shapes import (
    NO_DEFAULT,
    Answer,
    ListOf,
    Literals,
    MapOf,
    Nullable,
    Payload,
    Ref,
    Scalar,
    Shape,
    TupleOf,
    Union,
)

_SCALARS: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "bytes": bytes,
    "file": bodies.File,
    "date": dt.date,
    "datetime": dt.datetime,
    "time": dt.time,
    "timedelta": dt.timedelta,
    "uuid": UUID,
    "decimal": Decimal,
}


@dataclass(frozen=True, slots=True)
class MadeOperation:
    """An endpoint, and how it is called."""

    endpoint: Endpoint[Any]
    signature: Signature

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """The values of the endpoint's parts.

        Raises:
            TypeError: one is missing, or is too many, as for any function.
        """
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.endpoint.name}: {error}") from None
        bound.apply_defaults()
        return tuple(bound.arguments.values())


@dataclass(frozen=True, slots=True)
class Made:
    """What a contract makes.

    Attributes:
        types: records, enumerations, unions and problems by name.
        operations: by the name of their methods.
    """

    digest: str
    types: MappingProxyType[str, Any]
    operations: MappingProxyType[str, MadeOperation]


def make(plan: Plan) -> Made:
    """Types and endpoints from a plan."""
    return _Maker(plan).made()


class _Maker:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._types: dict[str, Any] = {}

    def made(self) -> Made:
        plan = self._plan
        records = {k: one for k, one in plan.classes.items() if isinstance(one, PyRecord)}
        for key, one in plan.classes.items():
            if isinstance(one, PyEnum):
                self._types[key] = _enum(one)
        for key, record in records.items():
            self._types[key] = self._record(record)
        # Records may contain one another, so what their fields are is said when all exist;
        # msgspec looks at annotations only when it makes a decoder.
        for key, record in records.items():
            if not record.core:
                self._types[key].__annotations__ = {
                    field.name: self._hint(field) for field in record.fields
                }
            if record.event is not None:
                said = record.event
                event(said.topic, version=said.version, key=said.key)(self._types[key])
        problems = {problem.name: self._problem(problem) for problem in plan.problems}
        operations = {
            operation.name: MadeOperation(
                self._endpoint(operation, problems), _signature(operation)
            )
            for operation in plan.operations
        }
        types = {plan.classes[key].name: made for key, made in self._types.items()}
        return Made(
            plan.api.digest, MappingProxyType(types | problems), MappingProxyType(operations)
        )

    def _record(self, record: PyRecord) -> type[Struct]:
        if record.core:
            known: type[Struct] = getattr(errors, record.name)
            return known
        fields = [
            (f.name, Any, msgspec.field(name=f.wire, **self._default(f.default)))
            for f in record.fields
        ]
        return msgspec.defstruct(
            record.name,
            fields,
            namespace={record.const: record.tag} if record.const else None,
            kw_only=True,
            tag_field=record.tag_field or None,
            tag=record.tag or None,
        )

    def _default(self, default: Any) -> dict[str, Any]:
        if default is NO_DEFAULT:
            return {}
        if default is UNSET_DEFAULT:
            return {"default": UNSET}
        if isinstance(default, list | dict):
            return {"default_factory": type(default)}
        return {"default": self._value(default)}

    def _value(self, default: Any) -> Any:
        """A default as it is; a member of an enumeration is named by class and label."""
        if not isinstance(default, tuple):
            return default
        name, label = default
        for key, one in self._plan.classes.items():
            if one.name == name:
                return self._types[key][label]
        return None

    def _hint(self, field: PyField) -> Any:
        made = self.of(field.shape)
        if field.default is not UNSET_DEFAULT or made is Any:
            return made
        return made | UnsetType

    def of(self, shape: Shape) -> Any:
        """The type of a shape."""
        match shape:
            case Scalar(kind):
                return _SCALARS[kind]
            case Literals(values):
                return Literal[values]
            case ListOf(item):
                return list[self.of(item)]  # type: ignore[misc]
            case TupleOf(items):
                return tuple[tuple(map(self.of, items))]  # type: ignore[misc]
            case MapOf(value):
                return dict[str, self.of(value)]  # type: ignore[misc]
            case Nullable(inner):
                return self.of(inner) | None
            case Ref(key) if key in self._types:
                return self._types[key]
            case Ref(key) if key in self._plan.classes:
                alias = self._plan.classes[key]
                return self.of(alias.shape) if isinstance(alias, PyAlias) else Any
            case Union(members):
                made = [self.of(member) for member in members]
                if Any in made:
                    return Any
                union = reduce(or_, made)
                return union if self._plan.native(shape) else one_of(union)
        return Any

    def _problem(self, problem: PyProblem) -> type[Problem]:
        if problem.core:
            found: type[Problem] = getattr(errors, problem.name)
            return found
        space: dict[str, Any] = {
            "__annotations__": {f.name: self._hint(f) for f in problem.fields},
            "__wire__": {f.name: f.wire for f in problem.fields if f.name != f.wire},
            "__doc__": problem.doc,
        }
        for field in problem.fields:
            for value in self._default(field.default).values():
                space[field.name] = value
        keywords: dict[str, Any] = {}
        if problem.status:
            keywords["status"] = problem.status
        if problem.type:
            keywords["type"] = problem.type
        return new_class(problem.name, (Problem,), keywords, lambda body: body.update(space))

    def _endpoint(
        self, operation: PyOperation, problems: dict[str, type[Problem]]
    ) -> Endpoint[Any]:
        source = operation.source
        raises = {
            status: tuple(
                problems[p.name] if p.name in problems else self._problem(p) for p in found
            )
            for status, found in operation.raises
        }
        return Endpoint(
            operation.name,
            source.method,
            source.path,
            *(self._part(argument) for argument in operation.arguments),
            answers={answer.status: self._answer(answer) for answer in operation.answers},
            raises=raises,
            accept=accept_of(operation),
        )

    def _answer(self, answer: Answer) -> Any:
        match answer.kind:
            case "none":
                return None
            case "text":
                return str
            case "bytes":
                return bytes
            case "redirect":
                return Redirect
            case "items":
                return Items[self.of(answer.shape)]  # type: ignore[misc]
        return self.of(answer.shape)

    def _part(self, argument: PyArgument) -> parts.Part | bodies.Body:
        source = argument.source
        made = self.of(source.shape)
        if isinstance(source, Payload):
            return bodies.Body(source.kind, made, source.media_type, source.deep)
        style, explode = style_of(source)
        default = None if argument.default is NO_DEFAULT else self._value(argument.default)
        return parts.Part(source.where, source.name, made, default, style, explode, source.mint)


def _enum(one: PyEnum) -> Any:
    base: Any = StrEnum if isinstance(one.members[0][1], str) else IntEnum
    return base(one.name, one.members)


def _signature(operation: PyOperation) -> Signature:
    parameters = [
        Parameter(
            a.name,
            Parameter.POSITIONAL_OR_KEYWORD if a.positional else Parameter.KEYWORD_ONLY,
            default=Parameter.empty if a.default is NO_DEFAULT else None,
        )
        for a in operation.arguments
    ]
    # A required body after an optional one cannot be; Python wants defaults last.
    parameters.sort(key=lambda p: (p.kind, p.default is not Parameter.empty))
    return Signature(parameters)
