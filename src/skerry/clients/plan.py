"""From what a contract says to what it is in Python: names, tags, defaults, signatures.

Everything that the written client and the one made at run time must agree on is decided here,
once; they differ only in whether the result is text or types.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from skerry.contract.docstrings import split
from skerry.core import errors

from .names import constant, pascal, safe, snake, unique
from .notes import argument_doc, deprecated, field_doc
from .pythonic import (
    UNSET_DEFAULT,
    Plan,
    PyAlias,
    PyArgument,
    PyEnum,
    PyEvent,
    PyField,
    PyOperation,
    PyProblem,
    PyRecord,
)
from .reach import cyclic_aliases, reachable
from .refusals import GENERAL
from .shapes import (
    NO_DEFAULT,
    Alias,
    Api,
    Enumeration,
    Event,
    Field,
    ListOf,
    Literals,
    MapOf,
    Named,
    Nullable,
    Operation,
    Record,
    Ref,
    Refusal,
    Scalar,
    Shape,
    TupleOf,
    Union,
)
from .tags import single, tags_of

_CORE = {
    (cls.type, cls.status): cls
    for cls in (
        *(errors.BadRequest, errors.Unauthorized, errors.Forbidden, errors.NotFound),
        *(errors.MethodNotAllowed, errors.Conflict, errors.BodyTooLarge, errors.Internal),
        *(errors.UnsupportedMediaType, errors.Invalid, errors.Overloaded),
        *(errors.IdempotencyKeyMissing, errors.IdempotencyKeyInFlight),
        errors.IdempotencyKeyReused,
    )
}
_PROBLEM_NAMES = frozenset(
    {
        *("type", "title", "status", "instance", "args", "headers", "retry", "detail"),
        *("answered_by", "members", "document", "add_note", "with_traceback"),
    }
)
_UNWRITABLE = re.compile(r'[\\"\x00-\x1f]')
"""Names of properties that msgspec cannot have; no contract that means well has them."""
_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_CLIENT_NAMES = frozenset({"close", "connect", "sync"})


def plan(
    api: Api, app: str = "", *, reserved: Iterable[str] = (), standalone: bool = False
) -> Plan:
    """Decide how a contract looks in Python.

    Args:
        api: the contract.
        app: the app's name in the fleet; the contract's title by default.
        reserved: names that classes must not have, because the module imports them.
        standalone: whether even the problems that Skerry has get a class of their own.
    """
    app = app or api.title
    taken = set(reserved)
    client = unique(pascal(snake(app, "api"), "Api"), taken)
    taken |= {client, f"{client}Sync"}
    names: dict[str, str] = {}
    core = set() if standalone else {key for key, named in api.named.items() if _is_fault(named)}
    taken |= {errors.Fault.__name__ for _ in core}
    for key, named in api.named.items():
        names[key] = errors.Fault.__name__ if key in core else unique(pascal(named.name), taken)
        taken.add(names[key])
    made = Plan(api, app, client, {}, [], [])
    _Planner(api, made, names, taken, core, standalone).run()
    return made


class _Planner:
    def __init__(
        self,
        api: Api,
        made: Plan,
        names: dict[str, str],
        taken: set[str],
        core: set[str],
        standalone: bool,
    ) -> None:
        self._api = api
        self._plan = made
        self._names = names
        self._taken = taken
        self._core = core
        self._problem_classes = {
            key: _CORE[said]
            for key, refusal in api.refusals.items()
            if not standalone and (said := (refusal.type, refusal.status or 0)) in _CORE
        }
        self._sent = reachable(
            api, (o.payload.shape for o in api.operations if o.payload is not None)
        )
        self._uploaded = reachable(
            api,
            (
                o.payload.shape
                for o in api.operations
                if o.payload is not None and o.payload.kind == "multipart"
            ),
        )
        self._asked = reachable(api, (a.shape for o in api.operations for a in o.arguments))
        self._received = reachable(
            api,
            [a.shape for o in api.operations for a in o.answers]
            + [
                f.shape
                for key, refusal in api.refusals.items()
                if key not in self._problem_classes
                for f in refusal.fields
            ]
            + [Ref(event.record) for event in api.events],
        )

    def run(self) -> None:
        cyclic = set(cyclic_aliases(self._api))
        tags = tags_of(self._api)
        wanted = self._sent | self._received | self._asked
        for key, named in self._api.named.items():
            name = self._names[key]
            if key not in wanted:
                continue
            match named:
                case Record():
                    self._plan.classes[key] = self._record(key, named, name, tags.get(key))
                case Enumeration():
                    self._plan.classes[key] = _enum(named, name)
                case Alias() if key not in cyclic:
                    self._plan.classes[key] = PyAlias(name, named.description, named.shape)
        for event in self._api.events:
            self._heard(event)
        operations = [self._lifted(operation) for operation in self._api.operations]
        problems = self._problems()
        self._plan.problems = list({p.name: p for p in problems.values()}.values())
        self._plan.operations = list(self._operations(operations, problems))

    def _lifted(self, operation: Operation) -> Operation:
        """With names for the unions that msgspec cannot read: where a type is a value, as in an
        ``Endpoint``, checkers take a name for one and not the union itself."""
        id, payload = operation.id, operation.payload
        return replace(
            operation,
            answers=[
                replace(answer, shape=self._lift(answer.shape, f"{id} response"))
                for answer in operation.answers
            ],
            payload=payload and replace(payload, shape=self._lift(payload.shape, f"{id} body")),
            arguments=[
                replace(argument, shape=self._lift(argument.shape, f"{id} {argument.name}"))
                for argument in operation.arguments
            ],
        )

    def _lift(self, shape: Shape, hint: str) -> Shape:
        match shape:
            case ListOf(inner):
                return ListOf(self._lift(inner, f"{hint} item"))
            case TupleOf(items):
                return TupleOf(tuple(self._lift(item, f"{hint} item") for item in items))
            case MapOf(inner):
                return MapOf(self._lift(inner, f"{hint} value"))
            case Nullable(inner):
                return Nullable(self._lift(inner, hint))
            case Scalar("file"):  # bytes are no JSON; a string is what can stand there
                return Scalar("str")
            case Union() if not self._plan.native(shape):
                name = unique(pascal(hint), self._taken)
                self._taken.add(name)
                self._plan.classes[f"union {name}"] = PyAlias(name, "", shape)
                return Ref(f"union {name}")
        return shape

    def _record(self, key: str, record: Record, name: str, tag: tuple[str, str] | None) -> PyRecord:
        if key in self._core:
            return PyRecord(name, "", [], core=True)
        text, said = split(record.description, {field.name for field in record.fields})
        made = PyRecord(name, deprecated(text, record.deprecated), [])
        if tag is not None:
            made.tag_field, made.tag = tag
        taken: set[str] = set()
        for source in record.fields:
            if _UNWRITABLE.search(source.name):
                continue
            attribute = unique(_attribute(source.name, "field"), taken)
            taken.add(attribute)
            if tag is not None and source.name == tag[0]:
                made.const = attribute
                continue
            default = self._field_default(key, source)
            made.fields.append(
                PyField(
                    attribute,
                    source.name,
                    source.shape if key in self._uploaded else _without_files(source.shape),
                    default,
                    field_doc(source, default, said.get(source.name, "")),
                )
            )
        made.rename = _rename(made.fields)
        return made

    def _heard(self, event: Event) -> None:
        made = self._plan.classes[event.record]
        assert isinstance(made, PyRecord)
        made.doc = made.doc or event.description
        names: list[str] = []
        at: PyRecord | None = made
        for step in event.key:
            found = next((f for f in at.fields if f.wire == step), None) if at else None
            if found is None:  # what nobody can find orders nothing
                names = []
                break
            names.append(found.name)
            shape = found.shape.inner if isinstance(found.shape, Nullable) else found.shape
            at = self._plan.record(shape)
        made.event = PyEvent(event.topic, event.version, ".".join(names))

    def _field_default(self, key: str, source: Field) -> Any:
        """What a field is without a value. Defaults of the contract are used in answers only:
        in a request they would be sent, and an update would set what nobody mentioned."""
        sent, received = key in self._sent, key in self._received
        hidden = (source.read_only and sent) or (source.write_only and received)
        only = single(source.shape)
        if source.required and not hidden:
            return NO_DEFAULT if only is None else only
        if sent or source.default is NO_DEFAULT:
            return UNSET_DEFAULT
        found = self._usable(source.default, source.shape)
        return UNSET_DEFAULT if found is NO_DEFAULT else found

    def _usable(self, value: Any, shape: Shape) -> Any:
        """A default as a value of the shape's type; NO_DEFAULT where it is none."""
        match shape:
            case Nullable(inner):
                return None if value is None else self._usable(value, inner)
            case Scalar("str") if isinstance(value, str):
                return value
            case Scalar("bool") if isinstance(value, bool):
                return value
            case Scalar("int") if isinstance(value, int) and not isinstance(value, bool):
                return value
            case Scalar("float") if isinstance(value, int | float) and not isinstance(value, bool):
                return float(value)
            case Scalar("decimal") if isinstance(value, str) and _DECIMAL.fullmatch(value):
                return Decimal(value)
            case Literals(values) if value in values and not isinstance(value, bool):
                return value
            case Ref(key) if isinstance(self._api.named.get(key), Enumeration):
                enum = _enum(self._api.named[key], self._names[key])  # type: ignore[arg-type]
                return next(((enum.name, n) for n, v in enum.members if v == value), NO_DEFAULT)
            case ListOf() | MapOf() if value in ([], {}):
                return [] if isinstance(shape, ListOf) else {}
        return NO_DEFAULT

    def _problems(self) -> dict[str, PyProblem]:
        made: dict[str, PyProblem] = {GENERAL: PyProblem("Problem", "", [], core=True)}
        for key, refusal in self._api.refusals.items():
            if key in self._problem_classes:
                made[key] = PyProblem(self._problem_classes[key].__name__, "", [], core=True)
                continue
            name = pascal(refusal.name)
            if not refusal.type and not name.endswith(("Error", "Exception", "Problem", "Failure")):
                name += "Error"
            name = unique(name, self._taken)
            self._taken.add(name)
            made[key] = self._problem(refusal, name)
        return made

    def _problem(self, refusal: Refusal, name: str) -> PyProblem:
        doc, said = split(refusal.description, {field.name for field in refusal.fields})
        if refusal.title and refusal.title not in doc:
            doc = f"{refusal.title}.\n\n{doc}".strip()
        made = PyProblem(name, doc, [], refusal.status, refusal.type, refusal.title)
        taken: set[str] = set()
        for source in refusal.fields:
            if _UNWRITABLE.search(source.name):
                continue
            attribute = _attribute(source.name, "member")
            if attribute in _PROBLEM_NAMES:
                attribute += "_"
            attribute = unique(attribute, taken)
            taken.add(attribute)
            only = single(source.shape)
            default = UNSET_DEFAULT
            if source.required:
                default = NO_DEFAULT if only is None else only
            doc = field_doc(source, default, said.get(source.name, ""))
            made.fields.append(PyField(attribute, source.name, source.shape, default, doc))
        return made

    def _operations(
        self, operations: list[Operation], problems: dict[str, PyProblem]
    ) -> Iterator[PyOperation]:
        taken = set(_CLIENT_NAMES)
        for operation in operations:
            name = snake(operation.id, "call")
            name = f"{name}_" if name in _CLIENT_NAMES else name.lstrip("_") or "call"
            name = unique(name, taken)
            taken.add(name)
            raises: list[tuple[int | str, list[PyProblem]]] = []
            for status, keys in operation.raises.items():
                classes = {problems[key].name: problems[key] for key in keys}
                raises.append((status, list(classes.values())))
            arguments = list(self._arguments(operation))
            yield PyOperation(name, operation, arguments, operation.answers, raises)

    def _arguments(self, operation: Operation) -> Iterator[PyArgument]:
        taken = {"self"} | ({"body"} if operation.payload is not None else set())
        made: list[PyArgument] = []
        for source in operation.arguments:
            name = snake(source.name, "argument").lstrip("_") or "argument"
            name = unique(name, taken)
            taken.add(name)
            default: Any = NO_DEFAULT
            required = source.required and not source.mint
            if not required:
                default = self._usable(source.default, source.shape)
                default = None if default is NO_DEFAULT or default in ([], {}) else default
            doc = argument_doc(source, default)
            made.append(
                PyArgument(
                    name, source, source.shape, required, default, doc, source.where == "path"
                )
            )
        yield from (a for a in made if a.positional)
        payload = operation.payload
        if payload is not None:
            default = NO_DEFAULT if payload.required else None
            yield PyArgument(
                "body", payload, payload.shape, payload.required, default, payload.description, True
            )
        yield from (a for a in made if not a.positional and a.required)
        yield from (a for a in made if not a.positional and not a.required)


def _is_fault(named: Named) -> bool:
    """Whether this is the ``Fault`` that every contract of Skerry's has."""
    return (
        isinstance(named, Record)
        and named.name == errors.Fault.__name__
        and [(f.name, f.shape, f.required) for f in named.fields]
        == [(name, Scalar("str"), True) for name in errors.Fault.__struct_fields__]
    )


def _without_files(shape: Shape) -> Shape:
    """Files travel in multipart forms; in JSON a binary string is a string."""
    match shape:
        case Scalar("file"):
            return Scalar("str")
        case ListOf(inner):
            return ListOf(_without_files(inner))
        case TupleOf(items):
            return TupleOf(tuple(map(_without_files, items)))
        case MapOf(inner):
            return MapOf(_without_files(inner))
        case Nullable(inner):
            return Nullable(_without_files(inner))
    return shape


def _attribute(wire: str, otherwise: str) -> str:
    name = snake(wire, otherwise).lstrip("_") or otherwise
    return safe(name)


def _rename(fields: list[PyField]) -> str:
    """``camel`` where msgspec's own rule makes every name on the wire of ours."""
    if all(f.name == f.wire for f in fields):
        return ""
    return "camel" if all(_camel(f.name) == f.wire for f in fields) else ""


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _enum(named: Enumeration, name: str) -> PyEnum:
    taken: set[str] = set()
    members: list[tuple[str, str | int]] = []
    labels = named.labels or [str(value) for value in named.values]
    for label, value in zip(labels, named.values, strict=False):
        member = unique(constant(label), taken)
        taken.add(member)
        members.append((member, value))
    return PyEnum(name, named.description, members)
