"""Shapes as Python annotations, and the imports these need."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from .layout import Group, Text, group, lay, quoted
from .pythonic import Plan, PyArgument, PyOperation, PyRecord
from .shapes import (
    NO_DEFAULT,
    Answer,
    Argument,
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

CORE_PROBLEMS = (
    *("BadRequest", "BodyTooLarge", "Conflict", "Forbidden", "Internal", "Invalid", "NotFound"),
    *("MethodNotAllowed", "Overloaded", "Problem", "Unauthorized", "UnsupportedMediaType"),
    *("IdempotencyKeyInFlight", "IdempotencyKeyMissing", "IdempotencyKeyReused"),
)
_SCALARS = {
    "str": "str",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "bytes": "bytes",
    "file": "File",
    "date": "dt.date",
    "datetime": "dt.datetime",
    "time": "dt.time",
    "timedelta": "dt.timedelta",
    "uuid": "UUID",
    "decimal": "Decimal",
}
_SOURCES = {
    **dict.fromkeys(("AsyncIterable", "Mapping"), "collections.abc"),
    **dict.fromkeys(("Any", "ClassVar", "Literal", "TypeAlias"), "typing"),
    **dict.fromkeys(("IntEnum", "StrEnum"), "enum"),
    "Decimal": "decimal",
    "UUID": "uuid",
    **dict.fromkeys(("UNSET", "Struct", "UnsetType", "field"), "msgspec"),
    **dict.fromkeys((*CORE_PROBLEMS, "Fault"), "skerry.core.errors"),
    "event": "skerry.bus.event",
    **dict.fromkeys(("SyncClient", "blocking", "blocking_items"), "skerry.clients.sync"),
}
_RUNTIME = "skerry.clients.runtime"
_STANDARD = frozenset({"collections.abc", "typing", "enum", "decimal", "uuid"})


class Speller:
    """Writes annotations, and remembers what they need."""

    unset = "UnsetType"

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._used: set[str] = set()

    def use(self, name: str) -> str:
        self._used.add(name)
        return name

    def imports(self) -> list[list[tuple[str, list[str]]]]:
        """Groups of imports: a whole line and no names, or a module and its names."""
        sources: dict[str, list[str]] = {}
        for name in self._used - {"dt"}:
            sources.setdefault(_SOURCES.get(name, _RUNTIME), []).append(name)
        plain = ["import datetime as dt"] if "dt" in self._used else []
        return import_groups(plain, sources, _STANDARD)

    def hint(self, shape: Shape, *, optional: bool = False) -> str:
        """The annotation of a shape; with UnsetType where the value may be absent."""
        text = self._hint(shape)
        if not optional or text == "Any":
            return text
        return f"{text} | {self.use(self.unset)}"

    def _hint(self, shape: Shape) -> str:
        match shape:
            case Scalar(kind):
                text = _SCALARS[kind]
                if text.startswith("dt."):
                    self.use("dt")
                elif text[0].isupper():
                    self.use(text)
                return text
            case Literals(values):
                return f"{self.use('Literal')}[{', '.join(self.value(v) for v in values)}]"
            case ListOf(item):
                return f"list[{self._hint(item)}]"
            case TupleOf(items):
                return f"tuple[{', '.join(map(self._hint, items))}]"
            case MapOf(value):
                return f"dict[str, {self._hint(value)}]"
            case Nullable(inner):
                text = self._hint(inner)
                return text if text == "Any" else f"{text} | None"
            case Ref(key) if key in self._plan.classes:
                named = self._plan.classes[key]
                core = isinstance(named, PyRecord) and named.core
                return self.use(named.name) if core else named.name
            case Union():
                return self._union(shape)
        return self.use("Any")

    def _union(self, shape: Union) -> str:
        members = list(dict.fromkeys(self._hint(member) for member in shape.members))
        if "Any" in members:
            return "Any"
        text = " | ".join(members)
        if len(members) > 1 and not self._plan.native(shape):
            return self.untold(text)
        return text

    def untold(self, union: str) -> str:
        """A union whose members nothing tells apart."""
        return f"{self.use('OneOf')}[{union}]"

    def names_in(self, shape: Shape) -> set[str]:
        """The classes of the contract that a shape names."""
        match shape:
            case Ref(key) if key in self._plan.classes:
                return {self._plan.classes[key].name}
            case ListOf(inner) | MapOf(inner) | Nullable(inner):
                return self.names_in(inner)
            case Union(members) | TupleOf(members):
                return set().union(*(self.names_in(member) for member in members))
        return set()

    def value(self, value: Any) -> str:
        return quoted(value) if isinstance(value, str) else repr(value)

    def default(self, default: Any) -> str:
        """A default as text; empty where there is none."""
        if default is NO_DEFAULT:
            return ""
        if repr(default) == "UNSET":
            return self.use("UNSET")
        if isinstance(default, tuple):  # a member of an enumeration
            return ".".join(default)
        if isinstance(default, Decimal):
            return f"{self.use('Decimal')}({quoted(str(default))})"
        return self.value(default)

    def answer(self, operation: PyOperation) -> str:
        """What the method returns."""
        return " | ".join(dict.fromkeys(self.answer_type(a) for a in operation.answers))

    def answer_type(self, answer: Answer) -> str:
        match answer.kind:
            case "none":
                return "None"
            case "text":
                return "str"
            case "bytes":
                return "bytes"
            case "redirect":
                return self.use("Redirect")
            case "items":
                return f"{self.use('Items')}[{self._hint(answer.shape)}]"
        return self._hint(answer.shape)

    def streams(self, operation: PyOperation) -> bool:
        return [answer.kind for answer in operation.answers] == ["items"]

    def argument(self, argument: PyArgument) -> str:
        text = self._argument(argument.source)
        if argument.default is None and not text.endswith(("None", "Any")):
            return f"{text} | None"
        return text

    def _argument(self, source: Argument | Payload) -> str:
        if isinstance(source, Argument) or source.kind in ("json", "form", "multipart"):
            return self._hint(source.shape)
        if source.kind == "text":
            return "str"
        if source.kind == "lines":
            return f"{self.use('AsyncIterable')}[{self._hint(source.shape)}]"
        return f"bytes | {self.use('AsyncIterable')}[bytes]"

    def long_field(self, left: str, right: str, hint: str, width: int) -> list[str]:
        """A field that does not fit on a line, split as formatters do: at the bars of its
        annotation, in its brackets, or before its default."""
        name = left.partition(":")[0]
        tail = f" = {right}" if right else ""
        if right and len(left) + 8 <= width:
            return [f"    {left} = (", f"        {right}", "    )"]
        tree = _tree(hint)
        if isinstance(tree, Group) and not tree.head:
            made = Group(f"{name}: (", tree.items, f"){tail}", separator=" | ")
            return lay(made, 1, width)
        if isinstance(tree, Group):
            made = Group(
                f"{name}: {tree.head}", tree.items, tree.tail + tail, separator=tree.separator
            )
            return lay(made, 1, width)
        if len(hint) + 8 <= width and not right:
            return [f"    {name}: (", f"        {hint}", "    )"]
        return [f"    {name}: {hint}{tail}"]

    def long_alias(self, head: str, shape: Shape, width: int) -> list[str]:
        text = self._hint(shape)
        if len(head) + len(text) <= width:
            return [head + text]
        tree = _tree(text)
        if isinstance(tree, str):
            return [head + text]
        opened, closed = (tree.head, tree.tail) if tree.head else ("(", ")")
        return lay(Group(head + opened, tree.items, closed, separator=tree.separator), 0, width)


def _tree(text: str) -> Text:
    """An annotation as what a formatter may split."""
    parts = _split(text)
    if len(parts) > 1:
        return Group("", tuple(_tree(part) for part, _ in parts), "", separator=" | ")
    opened = text.find("[")
    if opened < 0 or not text.endswith("]"):
        return text
    inside = text[opened + 1 : -1]
    items = _split(inside)
    bars = len(items) > 1 and items[0][1] == "|"
    made = tuple(_tree(part) for part, _ in items)
    return Group(text[: opened + 1], made, "]", separator=" | " if bars else ", ")


def _split(text: str) -> list[tuple[str, str]]:
    """The parts of an annotation between its outermost commas, or bars where there are no
    commas, each with what follows it."""
    cuts = list(_outermost(text))
    wanted = "," if any(char == "," for _, char in cuts) else "|"
    parts: list[tuple[str, str]] = []
    start = 0
    for index, char in cuts:
        if char == wanted:
            parts.append((text[start:index].strip(), char))
            start = index + 1
    return [*parts, (text[start:].strip(), "")]


def _outermost(text: str) -> Iterator[tuple[int, str]]:
    depth, quote = 0, ""
    for index, char in enumerate(text):
        if quote:
            quote = "" if char == quote and text[index - 1] != "\\" else quote
        elif char in "\"'":
            quote = char
        elif char in "[]":
            depth += 1 if char == "[" else -1
        elif char in "|," and depth == 0:
            yield index, char


def _order(name: str) -> tuple[int, str]:
    """As isort sorts within an import: constants, classes, the rest."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return kind, name


def import_groups(
    plain: Iterable[str], sources: Mapping[str, Iterable[str]], standard: Container[str]
) -> list[list[tuple[str, list[str]]]]:
    """Imports as isort orders them: the standard library's, then the others'."""
    ordered = [(source, sorted(sources[source], key=_order)) for source in sorted(sources)]
    whole: list[tuple[str, list[str]]] = [(line, []) for line in sorted(plain)]
    first = [*whole, *((s, n) for s, n in ordered if s in standard)]
    return [group for group in (first, [(s, n) for s, n in ordered if s not in standard]) if group]


def call(head: str, items: Iterable[Text]) -> Group:
    return group(f"{head}(", list(items), ")")
