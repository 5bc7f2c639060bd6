"""Where in a type something is, in the words of those who wrote it: ``Order.lines[].price``."""

from __future__ import annotations

import types
from typing import Any, get_origin

from . import shape
from .shape import Shape


def below(where: str, step: str) -> str:
    """The place of a part; what has no name yet has no place, and its parts name themselves."""
    return f"{where}{step}" if where else ""


def of_field(where: str, record: Any, name: str) -> str:
    """The place of a record's field."""
    return f"{where or (get_origin(record) or record).__qualname__}.{name}"


def places(root: Shape) -> list[tuple[str, Shape]]:
    """The shape and everything inside it, each once with its place, outer ones first."""
    found: dict[int, tuple[str, Shape]] = {}
    waiting = [("", root)]
    while waiting:
        where, part = waiting.pop()
        if id(part) not in found:
            found[id(part)] = (where, part)
            waiting.extend(reversed(_inside(where, part)))
    return list(found.values())


def _inside(where: str, part: Shape) -> list[tuple[str, Shape]]:
    if isinstance(part, shape.Record):
        return [(of_field(where, part.type, field.name), field.shape) for field in part.fields]
    step = {"array": "[]", "row": "[]", "mapping": "{}"}.get(part.kind, "")
    step = "" if isinstance(part, shape.Limited) else step
    return [(below(where, step), child) for child in shape.children(part)]


def spelled(hint: Any) -> str:
    """A type as code has it."""
    plain = isinstance(hint, type) and not isinstance(hint, types.GenericAlias)
    return str(hint.__qualname__) if plain else str(hint)
