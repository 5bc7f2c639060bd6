"""From what a contract says to what it is in Python: names, tags, defaults, signatures.

Everything that the written client and the one made at run time must agree on is decided here,
once; they differ only in whether the result is text or types.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from skerry.core import errors

from .names import constant, pascal, safe, snake, unique
from .refusals import GENERAL
from .shapes import (
    NO_DEFAULT,
    Alias,
    Answer,
    Api,
    Argument,
    Enumeration,
    Field,
    ListOf,
    Literals,
    MapOf,
    Nullable,
    Operation,
    Payload,
    Record,
    Ref,
    Refusal,
    Scalar,
    Shape,
    Union,
)

UNSET_DEFAULT: Any = type("_Unset", (), {"__repr__": lambda self: "UNSET"})()

_CORE = {
    (cls.type, cls.status): cls
    for cls in (
        *(errors.BadRequest, errors.Unauthorized, errors.Forbidden, errors.NotFound),
        *(errors.MethodNotAllowed, errors.Conflict, errors.BodyTooLarge, errors.Internal),
        *(errors.UnsupportedMediaType, errors.Invalid, errors.Overloaded),
    )
}
_PROBLEM_NAMES = frozenset(
    {
        *("type", "title", "status", "instance", "args", "headers", "retry", "detail"),
        *("members", "document", "add_note", "with_traceback"),
    }
)
_UNWRITABLE = re.compile(r'[\\"\x00-\x1f]')
"""Names of properties that msgspec cannot have; no contract that means well has them."""
_CLIENT_NAMES = frozenset({"close", "connect", "sync"})


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
    """``const`` is the attribute that says the tag, and stands for no field."""

    name: str
    doc: str
    fields: list[PyField]
    tag_field: str = ""
    tag: str = ""
    const: str = ""
    rename: str = ""


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
            case ListOf():
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
    for key, named in api.named.items():
        names[key] = unique(pascal(named.name), taken)
        taken.add(names[key])
    made = Plan(api, app, client, {}, [], [])
    _Planner(api, made, names, taken, standalone).run()
    return made


class _Planner:
    def __init__(
        self, api: Api, made: Plan, names: dict[str, str], taken: set[str], standalone: bool
    ) -> None:
        self._api = api
        self._plan = made
        self._names = names
        self._taken = taken
        self._core = {} if standalone else _CORE
        self._sent = self._reachable(
            o.payload.shape for o in api.operations if o.payload is not None
        )
        self._uploaded = self._reachable(
            o.payload.shape
            for o in api.operations
            if o.payload is not None and o.payload.kind == "multipart"
        )
        self._received = self._reachable(
            [a.shape for o in api.operations for a in o.answers]
            + [f.shape for r in api.refusals.values() for f in r.fields]
        )

    def run(self) -> None:
        cyclic = set(self._cyclic_aliases())
        tags = self._tags()
        for key, named in self._api.named.items():
            name = self._names[key]
            if key not in self._sent and key not in self._received and not self._in_arguments(key):
                continue
            match named:
                case Record():
                    self._plan.classes[key] = self._record(key, named, name, tags.get(key))
                case Enumeration():
                    self._plan.classes[key] = _enum(named, name)
                case Alias() if key not in cyclic:
                    self._plan.classes[key] = PyAlias(name, named.description, named.shape)
        for operation in self._api.operations:
            self._lift_all(operation)
        problems = self._problems()
        self._plan.problems = list({p.name: p for p in problems.values()}.values())
        self._plan.operations = list(self._operations(problems))

    def _lift_all(self, operation: Operation) -> None:
        """Names for the unions of an operation that msgspec cannot read: where a type is a
        value, as in an ``Endpoint``, checkers take a name for one and not the union itself."""
        for answer in operation.answers:
            answer.shape = self._lift(answer.shape, f"{operation.id} response")
        if operation.payload is not None:
            operation.payload.shape = self._lift(operation.payload.shape, f"{operation.id} body")
        for argument in operation.arguments:
            argument.shape = self._lift(argument.shape, f"{operation.id} {argument.name}")

    def _lift(self, shape: Shape, hint: str) -> Shape:
        match shape:
            case ListOf(inner):
                return ListOf(self._lift(inner, f"{hint} item"))
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

    def _in_arguments(self, key: str) -> bool:
        if not hasattr(self, "_asked"):
            self._asked = self._reachable(
                a.shape for o in self._api.operations for a in o.arguments
            )
        return key in self._asked

    def _reachable(self, shapes: Iterable[Shape]) -> set[str]:
        found: set[str] = set()
        queue = list(shapes)
        while queue:
            shape = queue.pop()
            if isinstance(shape, Ref) and shape.key not in found:
                found.add(shape.key)
                named = self._api.named.get(shape.key)
                if isinstance(named, Record):
                    queue += [f.shape for f in named.fields]
                elif isinstance(named, Alias):
                    queue.append(named.shape)
            else:
                queue += _inside(shape)
        return found

    def _cyclic_aliases(self) -> Iterator[str]:
        """Unions that contain themselves without a record between: no type can say that."""
        for key, named in self._api.named.items():
            if isinstance(named, Alias):
                seen: set[str] = set()
                queue: list[Shape] = [named.shape]
                while queue:
                    shape = queue.pop()
                    if isinstance(shape, Ref) and shape.key not in seen:
                        seen.add(shape.key)
                        inner = self._api.named.get(shape.key)
                        queue += [inner.shape] if isinstance(inner, Alias) else []
                    else:
                        queue += _inside(shape)
                if key in seen:
                    yield key

    def _tags(self) -> dict[str, tuple[str, str]]:
        """The property and value that tell each record apart, for records that some union
        needs to tell apart, and that no two unions tell apart differently."""
        tags: dict[str, tuple[str, str]] = {}
        for shape in self._unions():
            keys = [m.key for m in self._flat(shape) if isinstance(m, Ref)]
            keys = [k for k in keys if isinstance(self._api.named.get(k), Record)]
            found = self._told_apart(shape, keys)
            if found and all(tags.get(k, found[k]) == found[k] for k in keys):
                tags.update(found)
        return tags

    def _unions(self) -> Iterator[Union]:
        queue: list[Shape] = []
        for named in self._api.named.values():
            match named:
                case Record():
                    queue += [f.shape for f in named.fields]
                case Alias():
                    queue.append(named.shape)
        for refusal in self._api.refusals.values():
            queue += [f.shape for f in refusal.fields]
        for operation in self._api.operations:
            queue += [a.shape for a in operation.answers]
            if operation.payload is not None:
                queue.append(operation.payload.shape)
        # Those with a tag of their own first: what a contract says goes before what we infer.
        found = [s for shape in queue for s in _deep(shape) if isinstance(s, Union)]
        yield from sorted(found, key=lambda union: not union.tag)

    def _flat(self, shape: Union) -> Iterator[Shape]:
        for member in shape.members:
            named = self._api.named.get(member.key) if isinstance(member, Ref) else None
            inner = named.shape if isinstance(named, Alias) else member
            inner = inner.inner if isinstance(inner, Nullable) else inner
            if isinstance(inner, Union) and inner is not shape:
                yield from inner.members
            else:
                yield member

    def _told_apart(self, shape: Union, keys: list[str]) -> dict[str, tuple[str, str]]:
        if len(keys) < 2 or len(set(keys)) != len(keys):
            return {}
        candidates = [shape.tag] if shape.tag else self._constants(keys[0])
        for name in candidates:
            said: dict[str, list[str]] = {}
            for key, value in shape.tags:
                said.setdefault(key, []).append(value)
            values = {key: self._tag_value(key, name, said.get(key, [])) for key in keys}
            if None not in values.values() and len(set(values.values())) == len(keys):
                return {key: (name, str(value)) for key, value in values.items()}
        return {}

    def _constants(self, key: str) -> list[str]:
        record = self._api.named[key]
        assert isinstance(record, Record)
        return [f.name for f in record.fields if f.required and _single(f.shape) is not None]

    def _tag_value(self, key: str, name: str, said: list[str]) -> str | None:
        record = self._api.named[key]
        assert isinstance(record, Record)
        own = next((f for f in record.fields if f.name == name), None)
        if own is not None and isinstance(own.shape, Literals):
            value = _single(own.shape)
            return value if value is not None and (not said or said == [value]) else None
        return said[0] if len(said) == 1 else None

    def _record(self, key: str, record: Record, name: str, tag: tuple[str, str] | None) -> PyRecord:
        made = PyRecord(name, _deprecated(record.description, record.deprecated), [])
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
                    _field_doc(source, default),
                )
            )
        made.rename = _rename(made.fields)
        return made

    def _field_default(self, key: str, source: Field) -> Any:
        """What a field is without a value. Defaults of the contract are used in answers only:
        in a request they would be sent, and an update would set what nobody mentioned."""
        sent, received = key in self._sent, key in self._received
        hidden = (source.read_only and sent) or (source.write_only and received)
        single = _single(source.shape)
        if source.required and not hidden:
            return NO_DEFAULT if single is None else single
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
            core = self._core.get((refusal.type, refusal.status or 0))
            if core is not None:
                made[key] = PyProblem(core.__name__, "", [], core=True)
                continue
            name = pascal(refusal.name)
            if not refusal.type and not name.endswith(("Error", "Exception", "Problem", "Failure")):
                name += "Error"
            name = unique(name, self._taken)
            self._taken.add(name)
            made[key] = self._problem(refusal, name)
        return made

    def _problem(self, refusal: Refusal, name: str) -> PyProblem:
        doc = refusal.description
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
            single = _single(source.shape)
            default = UNSET_DEFAULT
            if source.required:
                default = NO_DEFAULT if single is None else single
            doc = _field_doc(source, default)
            made.fields.append(PyField(attribute, source.name, source.shape, default, doc))
        return made

    def _operations(self, problems: dict[str, PyProblem]) -> Iterator[PyOperation]:
        taken = set(_CLIENT_NAMES)
        for operation in self._api.operations:
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
            doc = _argument_doc(source, default)
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


def _inside(shape: Shape) -> list[Shape]:
    match shape:
        case ListOf(inner) | MapOf(inner) | Nullable(inner):
            return [inner]
        case Union(members):
            return list(members)
    return []


def _without_files(shape: Shape) -> Shape:
    """Files travel in multipart forms; in JSON a binary string is a string."""
    match shape:
        case Scalar("file"):
            return Scalar("str")
        case ListOf(inner):
            return ListOf(_without_files(inner))
        case MapOf(inner):
            return MapOf(_without_files(inner))
        case Nullable(inner):
            return Nullable(_without_files(inner))
    return shape


def _deep(shape: Shape) -> Iterator[Shape]:
    yield shape
    for inner in _inside(shape):
        yield from _deep(inner)


def _single(shape: Shape) -> str | None:
    """The only string that a shape allows, if there is one."""
    if isinstance(shape, Literals) and len(shape.values) == 1:
        value = shape.values[0]
        return value if isinstance(value, str) else None
    return None


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


def _deprecated(text: str, deprecated: bool) -> str:
    if not deprecated or text.lower().startswith("deprecated"):
        return text
    return f"{text}\n\nDeprecated.".strip()


def _field_doc(source: Field, default: Any) -> str:
    notes = []
    if source.default is not NO_DEFAULT and default is UNSET_DEFAULT:
        notes.append(f"Default: {_short(source.default)}.")
    if source.read_only:
        notes.append("Set by the server.")
    if source.write_only:
        notes.append("Never sent back.")
    if source.deprecated and "deprecated" not in source.description.lower():
        notes.append("Deprecated.")
    return _with_notes(source.description, notes)


def _argument_doc(source: Argument, default: Any) -> str:
    notes = []
    if source.mint:
        notes.append("Made for this call when not given.")
    if source.default not in (NO_DEFAULT, None) and default is None:
        notes.append(f"Default: {_short(source.default)}.")
    if source.deprecated and "deprecated" not in source.description.lower():
        notes.append("Deprecated.")
    return _with_notes(source.description, notes)


def _with_notes(text: str, notes: list[str]) -> str:
    text = text.strip()
    if text and notes and text[-1] not in ".!?:;":
        text += "."
    return " ".join([text, *notes]).strip()


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
