"""``allOf`` laid flat: an object with everything that is added to it elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .document import Node
from .looks import is_object, names_under, replaced, says_something
from .names import words


@dataclass(slots=True)
class Flat:
    """A schema and all that ``allOf`` adds to it, laid side by side.

    Attributes:
        others: what is no object: unions, scalars and references to them.
    """

    properties: dict[str, Node] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    others: list[Node] = field(default_factory=list)
    description: str = ""


def flatten(node: Node, seen: frozenset[str] = frozenset()) -> Flat:
    """An object with everything that ``allOf`` adds to it, references followed.

    Raises:
        DocumentError: it adds itself.
    """
    node = node.follow()
    flat = Flat()
    if isinstance(node.value, bool):
        return flat
    node.object()
    if node.id in seen:
        node.fail("this schema is part of itself by allOf")
    seen |= {node.id}
    for part in node.items("allOf"):
        _merge(flat, part, seen)
    for name, child in node.children("properties"):
        known = flat.properties.get(name)
        if known is None or says_something(child):
            flat.properties[name] = child
    flat.required |= set(names_under(node, "required"))
    flat.description = node.prose("description") or flat.description or _title(node)
    return flat


def _merge(flat: Flat, part: Node, seen: frozenset[str]) -> None:
    target = part.follow()
    if isinstance(target.value, bool) or not says_something(target):
        return
    target.object()
    if target.id in seen:
        part.fail("this schema is part of itself by allOf")
    if not is_object(target):
        flat.others.append(part)
        return
    inner = flatten(target, seen)
    for name, child in inner.properties.items():
        if name not in flat.properties or says_something(child):
            flat.properties[name] = child
    flat.required |= inner.required
    flat.others += inner.others
    for word in ("oneOf", "anyOf"):
        if any(is_object(m.follow()) for m in target.items(word)):
            flat.others.append(replaced(target, {word: target.value[word]}))
    flat.description = flat.description or inner.description


def _title(node: Node) -> str:
    """The title, where it is more than a name: ``Page[Quote]`` says nothing."""
    title = node.prose("title").strip()
    is_name = re.fullmatch(r"[\w.]+(\[.*\])?", title) or words(title) == words(node.key)
    return "" if is_name else title


def alternatives(node: Node) -> list[Node]:
    """The objects that a union is one of; none where it only adds conditions."""
    target = node.follow()
    members = [m for word in ("oneOf", "anyOf") for m in target.items(word)]
    if not members:
        return [node] if is_object(target) and target.value.get("properties") else []
    return [m for m in members if flatten(m).properties]
