"""JSON Schema, as OpenAPI 3.0 and 3.1 use it, into shapes.

Two dialects and many habits come in; what goes out is small. Null is told apart from absent,
``allOf`` is merged, inline objects and long enumerations get names from where they stand, and
what a schema says beyond its shape (bounds, patterns) is left to the server that checks it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .discriminators import Discriminators, said_by
from .document import Node
from .flat import Flat, alternatives, flatten
from .looks import (
    MEANING,
    is_long,
    is_null,
    name_of,
    nullable,
    replaced,
    says_something,
    singular,
    union,
    values_of,
)
from .names import words
from .shapes import (
    NO_DEFAULT,
    Alias,
    Anything,
    Enumeration,
    Field,
    ListOf,
    MapOf,
    Named,
    Nullable,
    Record,
    Ref,
    Scalar,
    ScalarKind,
    Shape,
    TupleOf,
    Union,
)

_FORMATS: dict[str, ScalarKind] = {
    "date-time": "datetime",
    "date": "date",
    "date-time-local": "datetime",
    "time": "time",
    "time-local": "time",
    "iso8601-duration": "timedelta",
    "uuid": "uuid",
    "decimal": "decimal",
    "byte": "bytes",
    "base64": "bytes",
    "binary": "file",
}
_DEPTH = 80  # of schemas in schemas; real ones stay under 20


class Schemas:
    """Reads schemas, each named one once.

    Attributes:
        named: what was found, by key, each where its first reader met it.
    """

    def __init__(self, root: Node) -> None:
        self.named: dict[str, Named] = {}
        self._root = root
        self._known: dict[str, Shape] = {}
        self._reading: set[str] = set()
        self._order: dict[str, tuple[int, ...]] = {}
        self._place: tuple[int, ...] = (1,)
        self._depth = 0
        components = root.child("components").child("schemas").value
        self._component = {
            f"#/components/schemas/{name.replace('~', '~0').replace('/', '~1')}": index
            for index, name in enumerate(components)
        }
        self._discriminators = Discriminators(root)

    def in_order(self) -> dict[str, Named]:
        """What was found: components as the document orders them, each after the inline
        shapes inside it, then what the operations brought."""
        return {key: self.named[key] for key in sorted(self.named, key=self._order.__getitem__)}

    def read(self, node: Node, hint: str) -> Shape:
        """The shape of a schema.

        Args:
            node: the schema, or a reference to it.
            hint: words to name it by, should it need a name.
        """
        if isinstance(node.value, bool):
            return Anything()
        node.object()
        self._depth += 1
        if self._depth > _DEPTH:
            node.fail("schemas are nested too deeply here")
        try:
            if "$ref" in node.value:
                return self._reference(node, hint)
            return self._inline(node, hint, named=False)
        finally:
            self._depth -= 1

    def _reference(self, node: Node, hint: str) -> Shape:
        siblings = {key for key in node.value if key in MEANING and key != "$ref"}
        if siblings - {"nullable", "required", "type"}:
            without = {k: v for k, v in node.value.items() if k != "$ref"}
            both = {"allOf": [{"$ref": node.value["$ref"]}, without]}
            return self._inline(replaced(node, both), hint, named=False)
        shape = self._component_shape(node.document.resolve(str(node.value["$ref"]), node))
        return nullable(shape) if node.flag("nullable") else shape

    def _component_shape(self, target: Node) -> Shape:
        """The shape of what a reference leads to, under that place's name."""
        key = target.id
        if key in self._known:
            return self._known[key]
        if key in self._reading:  # a schema inside itself
            return nullable(Ref(key)) if self._is_nullable(target) else Ref(key)
        self._reading.add(key)
        try:
            with self._placed((0, self._component.get(key, len(self._component)))):
                shape = self._named(target, key)
        finally:
            self._reading.discard(key)
        self._known[key] = shape
        return shape

    def _named(self, target: Node, key: str) -> Shape:
        if isinstance(target.value, bool):
            return Anything()
        if "$ref" in target.object().value:
            return self._reference(target, name_of(target))
        return self._inline(target, name_of(target), named=True, key=key)

    @contextmanager
    def _placed(self, place: tuple[int, ...]) -> Iterator[None]:
        before, self._place = self._place, place
        try:
            yield
        finally:
            self._place = before

    def _is_nullable(self, node: Node) -> bool:
        value = node.value
        kind = value.get("type")
        return value.get("nullable") is True or (isinstance(kind, list) and "null" in kind)

    def _register(self, key: str, shape: Named) -> Ref:
        if key not in self.named:
            self.named[key] = shape
            self._order[key] = (*self._place, len(self._order))
        return Ref(key)

    def _inline(self, node: Node, hint: str, *, named: bool, key: str = "") -> Shape:
        """The shape of a schema that is no reference itself.

        Args:
            named: whether it is a component, and so deserves its name where it can bear one.
            key: to register it under; its own place by default.
        """
        value, key = node.value, key or node.id
        if "enum" in value or "const" in value:
            return self._enumeration(node, hint, key, named)
        if isinstance(value.get("type"), list):
            return self._several_types(node, hint, key, named)
        shape = self._union_of_children(node, key) if named else None
        if shape is None:
            parts, choices = _composition(node)
            if parts or choices:
                shape = self._composed(node, parts, choices, hint, key, named)
            else:
                shape = self._plain(node, hint, key)
        return nullable(shape) if node.flag("nullable") else shape

    def _plain(self, node: Node, hint: str, key: str) -> Shape:
        value = node.value
        kind = value.get("type")
        if kind is None:
            if "properties" in value or "additionalProperties" in value:
                kind = "object"
            elif "items" in value:
                kind = "array"
            elif value.get("format") in _FORMATS:
                kind = "string"
            else:
                return Anything()
        if kind == "object":
            return self._object(node, hint, key)
        if kind == "array":
            older = isinstance(value.get("items"), list)  # JSON Schema until 2019
            row = node.items("items" if older else "prefixItems")
            if row and value.get("minItems") == value.get("maxItems") == len(row):
                return TupleOf(
                    tuple(self.read(item, f"{hint} {i}") for i, item in enumerate(row, 1))
                )
            item = node.step("additionalItems" if older else "items")
            return ListOf(Anything() if item is None else self.read(item, singular(hint)))
        return self._scalar(node, kind)

    def _scalar(self, node: Node, kind: Any) -> Shape:
        form = node.value.get("format")
        form = form if isinstance(form, str) else ""
        match kind:
            case "string":
                if node.value.get("contentEncoding") == "base64":
                    return Scalar("bytes")
                return Scalar(_FORMATS.get(form, "str"))
            case "integer":
                return Scalar("int")
            case "number":
                return Scalar("decimal" if form == "decimal" else "float")
            case "boolean":
                return Scalar("bool")
            case "null":
                return nullable(Anything())
            case "file":  # Swagger's, in documents that were converted by hand
                return Scalar("file")
        return node.fail(
            f"there is no type {kind!r}; there are string, number, integer, boolean, array, "
            "object and null"
        )

    def _several_types(self, node: Node, hint: str, key: str, named: bool) -> Shape:
        """3.1's ``type: [string, "null"]``."""
        kinds = [kind for kind in node.value["type"] if kind != "null"]
        shapes = [
            self._inline(replaced(node, {**node.value, "type": kind}), hint, named=named, key=key)
            for kind in kinds
        ]
        shape = union(shapes) if shapes else Anything()
        return nullable(shape) if "null" in node.value["type"] else shape

    def _object(self, node: Node, hint: str, key: str) -> Shape:
        flat = flatten(node)
        if flat.properties:
            return self._record(flat, hint, key, deprecated=node.flag("deprecated"))
        return self._map(node, hint)

    def _map(self, node: Node, hint: str) -> Shape:
        extra = node.step("additionalProperties")
        if extra is not None and isinstance(extra.value, dict) and extra.value:
            return MapOf(self.read(extra, f"{hint} value"))
        patterns = list(node.children("patternProperties"))
        if len(patterns) == 1:
            return MapOf(self.read(patterns[0][1], f"{hint} value"))
        return MapOf(Anything())

    def _record(self, flat: Flat, hint: str, key: str, *, deprecated: bool = False) -> Ref:
        record = Record(hint, [], flat.description, deprecated)
        with self._inside(key):
            record.fields = self.fields(flat, hint)
        return self._register(key, record)

    @contextmanager
    def _inside(self, key: str) -> Iterator[None]:
        """An inline schema that is met again on the way down is inside itself."""
        added = key not in self._reading
        self._reading.add(key)
        try:
            yield
        finally:
            if added:
                self._reading.discard(key)

    def fields(self, flat: Flat, hint: str) -> list[Field]:
        """The fields of a record, in the order the document has them."""
        return [
            self._field(name, node, name in flat.required, f"{hint} {name}")
            for name, node in flat.properties.items()
        ]

    def _field(self, name: str, node: Node, required: bool, hint: str) -> Field:
        shape = self.read(node, hint)
        if isinstance(node.value, bool):
            return Field(name, shape, required)
        return Field(
            name,
            shape,
            required,
            description=node.prose("description"),
            default=node.value.get("default", NO_DEFAULT),
            read_only=node.flag("readOnly"),
            write_only=node.flag("writeOnly"),
            deprecated=node.flag("deprecated"),
        )

    def _composed(
        self, node: Node, parts: list[Node], choices: list[Node], hint: str, key: str, named: bool
    ) -> Shape:
        """A schema of ``allOf``, ``oneOf`` or ``anyOf``, or several of them."""
        alone = "properties" not in node.value
        if len(parts) == 1 and alone and not choices:
            return (
                self.read(parts[0], hint)
                if "$ref" in parts[0].value
                else self._inline(parts[0], hint, named=named, key=key)
            )
        if choices and not parts and alone:
            return self._union(node, choices, hint, key, named)
        flat = flatten(node)
        flat.others += choices
        return self._merged(node, flat, hint, key)

    def _merged(self, node: Node, flat: Flat, hint: str, key: str) -> Shape:
        objects = [other for other in flat.others if alternatives(other)]
        if flat.properties and not objects:
            return self._record(flat, hint, key)
        if not flat.properties:
            if len(flat.others) == 1:
                return self.read(flat.others[0], hint)
            if not flat.others:
                return self._map(node, hint)
            shapes = [self.read(other, hint) for other in flat.others]
            return next((shape for shape in shapes if shape != Anything()), Anything())
        # What all have in common, in each of the alternatives.
        members: list[Shape] = []
        for index, choice in enumerate(c for other in objects for c in alternatives(other)):
            extra = flatten(choice)
            both = Flat(
                {**flat.properties, **extra.properties},
                flat.required | extra.required,
                description=extra.description or flat.description,
            )
            label = choice.key if "$ref" not in choice.value else name_of(choice.follow())
            label = label if not label.isdigit() else str(index + 1)
            members.append(self._record(both, f"{hint} {label}", f"{key}/{index}"))
        return self._alias(union(members), hint, key, flat.description)

    def _union(self, node: Node, members: list[Node], hint: str, key: str, named: bool) -> Shape:
        shapes: list[Shape] = []
        for index, member in enumerate(members):
            title = member.value.get("title") if isinstance(member.value, dict) else None
            label = title if isinstance(title, str) and words(title) else str(index + 1)
            own = hint if len(members) == 1 else f"{hint} {label}"
            shapes.append(Nullable(Anything()) if is_null(member) else self.read(member, own))
        tag, tags = self._discriminators.tags(node, members)
        shape = union(shapes, tag, tags)
        if named or is_long(shape):
            return self._alias(shape, hint, key, node.prose("description"))
        return shape

    def _alias(self, shape: Shape, hint: str, key: str, description: str) -> Shape:
        """A name for a union; null stays outside, so that a field can say it itself."""
        if isinstance(shape, Nullable):
            return nullable(self._alias(shape.inner, hint, key, description))
        if isinstance(shape, Union):
            return self._register(key, Alias(hint, shape, description))
        return shape

    def _union_of_children(self, node: Node, key: str) -> Shape | None:
        children = self._discriminators.children(node)
        if not children:
            return None
        shapes = [self._component_shape(child) for _, child in children]
        tags = tuple((child.id, value) for value, child in children)
        shape = union(shapes, said_by(node).text("propertyName"), tags)
        return self._alias(shape, name_of(node), key, node.prose("description"))

    def _enumeration(self, node: Node, hint: str, key: str, named: bool) -> Shape:
        values: list[Any]
        if "enum" in node.value:
            values = [item.value for item in node.items("enum")]
        else:
            values = [node.value["const"]]
        null = None in values or self._is_nullable(node)
        kept = list(dict.fromkeys(v for v in values if isinstance(v, str | int | float)))
        labels = [str(item.value) for item in node.items("x-enum-varnames")]
        shape = values_of(kept, labels if len(labels) == len(values) else [], named=named)
        if isinstance(shape, Enumeration):
            shape.name = hint
            shape.description = node.prose("description")
            return nullable(self._register(key, shape)) if null else self._register(key, shape)
        return nullable(shape) if null else shape


def _composition(node: Node) -> tuple[list[Node], list[Node]]:
    """What ``allOf`` adds to a schema and what it is one of, without those that only add
    conditions."""
    parts = [part for part in node.items("allOf") if says_something(part)]
    choices = [
        member
        for word in ("oneOf", "anyOf")
        for member in node.items(word)
        if says_something(member, requirements=False)
    ]
    return parts, choices
