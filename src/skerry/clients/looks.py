"""Small questions to schemas, and small answers about shapes."""

from __future__ import annotations

from typing import Any

from .document import Node
from .shapes import Anything, Enumeration, Literals, Nullable, Ref, Scalar, Shape, Union

MEANING = frozenset(
    (
        *("type", "properties", "additionalProperties", "items", "prefixItems", "enum", "const"),
        *("allOf", "oneOf", "anyOf", "format", "patternProperties", "$ref", "nullable"),
        *("contentEncoding", "discriminator", "required"),
    )
)
SHORT = 40  # characters an inline enumeration may have and still be written where it stands
_MANY = 4  # members that a union may have, likewise


def nullable(shape: Shape) -> Shape:
    return shape if isinstance(shape, Nullable) else Nullable(shape)


def union(shapes: list[Shape], tag: str = "", tags: tuple[tuple[str, str], ...] = ()) -> Shape:
    """One of several shapes, flattened, each once, null outermost."""
    members: list[Shape] = []
    null = False
    for shape in shapes:
        if isinstance(shape, Nullable):
            null = True
            if shape.inner == Anything():
                continue
            shape = shape.inner
        members += shape.members if isinstance(shape, Union) else [shape]
    members = list(dict.fromkeys(members))
    if Scalar("str") in members:
        members = [m for m in members if not (isinstance(m, Literals) and _textual(m))]
    if Scalar("float") in members:
        members = [m for m in members if m != Scalar("int")]
    literals = [m for m in members if isinstance(m, Literals)]
    if len(literals) > 1:
        merged = Literals(tuple(dict.fromkeys(v for m in literals for v in m.values)))
        members = [merged, *(m for m in members if not isinstance(m, Literals))]
    if not members:
        return Nullable(Anything())
    made: Shape
    if Anything() in members:
        made = Anything()
    else:
        made = members[0] if len(members) == 1 else Union(tuple(members), tag, tags)
    return Nullable(made) if null else made


def is_long(shape: Shape) -> bool:
    """Whether a union is better called by a name than written where it stands."""
    inner = shape.inner if isinstance(shape, Nullable) else shape
    if not isinstance(inner, Union):
        return False
    names = [m.key.rpartition("/")[2] if isinstance(m, Ref) else "str" for m in inner.members]
    return len(names) > _MANY or sum(map(len, names)) > SHORT


def names_under(node: Node, key: str) -> list[str]:
    """The strings under ``key``. 3.0 documents also have ``required: true`` there, by mistake."""
    said = node.value.get(key)
    return [name for name in said if isinstance(name, str)] if isinstance(said, list) else []


def _textual(literals: Literals) -> bool:
    return all(isinstance(value, str) for value in literals.values)


def replaced(node: Node, value: Any) -> Node:
    """The same place with other contents."""
    return Node(node.document, node.file, node.pointer, value)


def is_null(node: Node) -> bool:
    value = node.value
    return isinstance(value, dict) and (
        value.get("type") == "null" or value.get("enum") == [None] or value.get("const", 0) is None
    )


def is_object(node: Node, seen: frozenset[str] = frozenset()) -> bool:
    value = node.value
    if not isinstance(value, dict) or node.id in seen:
        return False
    if value.get("type") == "object" or "properties" in value or "additionalProperties" in value:
        return True
    seen |= {node.id}
    return any(is_object(part.follow(), seen) for part in node.items("allOf"))


def says_something(node: Node, *, requirements: bool = True) -> bool:
    """Whether a schema says more than words: otherwise it is there for its description, or to
    add conditions on what others describe."""
    if not isinstance(node.value, dict):
        return False
    meaning = MEANING if requirements else MEANING - {"required", "type"}
    found = meaning.intersection(node.value)
    if not requirements and node.value.get("type") not in (None, "object"):
        return True
    return bool(found)


def name_of(node: Node) -> str:
    """What a schema that others refer to is called: the last step to it that is a word."""
    for step in reversed(node.pointer.split("/")[1:]):
        name = step.replace("~1", "/").replace("~0", "~")
        if not name.isdigit() and name not in ("schema", "properties", "items", "allOf", "oneOf"):
            return name
    return node.file.rpartition("/")[2].partition(".")[0] or "value"


def singular(hint: str) -> str:
    """Words for one of them, where English is plain enough to tell."""
    if hint.endswith("ies") and len(hint) > 4:
        return hint[:-3] + "y"
    if hint.endswith(("sses", "xes", "ches", "shes")):
        return hint[:-2]
    if hint.endswith("s") and not hint.endswith(("ss", "us", "is")) and len(hint) > 3:
        return hint[:-1]
    return f"{hint} item"


def values_of(values: list[Any], labels: list[str], *, named: bool) -> Shape | Enumeration:
    """What may have these values and no others.

    Args:
        labels: what the values are called, where the contract says so.
        named: whether it has a name of its own, which it keeps where it can.
    """
    if values and all(isinstance(value, str) for value in values):
        if labels or (named and len(values) > 1) or sum(len(v) + 4 for v in values) > SHORT:
            return Enumeration("", list(values), labels)
        return Literals(tuple(values))
    if any(isinstance(value, bool) for value in values):
        return Scalar("bool") if all(isinstance(v, bool) for v in values) else Anything()
    if any(isinstance(value, float) for value in values):
        return Scalar("float")
    if not values:
        return Anything()
    if labels and all(isinstance(value, int) for value in values):
        return Enumeration("", list(values), labels)
    return Literals(tuple(values))
