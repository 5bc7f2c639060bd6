"""Names for types in documents: readable, unique, and the same whatever order types come in."""

from __future__ import annotations

import re
import types
from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args, get_origin

from .aliases import UNIONS

_BUILTINS = {
    int: "Integer",
    float: "Number",
    str: "String",
    bool: "Boolean",
    bytes: "Bytes",
    type(None): "Null",
    Any: "Any",
}
_CONTAINERS = {"list": "List", "dict": "Map", "tuple": "Tuple", "set": "Set", "frozenset": "Set"}


def name_of(type: Any) -> str:
    """One type's name alone: ``Page[Quote]`` is ``PageOfQuote``."""
    origin = get_origin(type)
    if origin is Annotated:
        return name_of(get_args(type)[0])
    if origin in UNIONS:
        return "Or".join(name_of(option) for option in get_args(type))
    if origin is Literal:
        return "Or".join(_word(str(value)) for value in get_args(type))
    if type in _BUILTINS:
        return _BUILTINS[type]
    own = _word(getattr(origin or type, "__name__", str(type)))
    own = _CONTAINERS.get(own, own)
    arguments = [name_of(argument) for argument in get_args(type) if argument is not ...]
    return f"{own}Of{'And'.join(arguments)}" if arguments else own


def title_of(type: Any) -> str:
    """The name as code has it: ``Page[Quote]``."""
    arguments = [title_of(argument) for argument in get_args(type)]
    own = str(getattr(get_origin(type) or type, "__name__", type))
    return f"{own}[{', '.join(arguments)}]" if arguments else own


def names(found: Iterable[Any]) -> dict[Any, str]:
    """A unique name for each type.

    Types of one name from different modules are told apart by as many of the last parts of
    their modules' names as it takes: ``billing.Item``, ``stock.Item``.
    """
    groups: dict[str, list[Any]] = defaultdict(list)
    for type in dict.fromkeys(found):
        groups[name_of(type)].append(type)
    chosen: dict[Any, str] = {}
    for name, group in sorted(groups.items()):
        if len(group) == 1:
            chosen[group[0]] = name
        else:
            chosen.update(_told_apart(name, group))
    return chosen


def _told_apart(name: str, group: list[Any]) -> dict[Any, str]:
    group = sorted(group, key=_place)
    longest = max(_place(type).count(".") for type in group)
    for parts in range(1, longest + 2):
        longer = [".".join([*_place(type).split(".")[-parts:], name]) for type in group]
        if len(set(longer)) == len(group):
            return dict(zip(group, longer, strict=True))
    return {type: f"{name}{number}" for number, type in enumerate(group, 1)}


def _place(type: Any) -> str:
    """Where a type is defined: its module, and what it is nested in."""
    places = []
    for part in (type, *get_args(type)):
        cls = get_origin(part) or part
        if isinstance(cls, types.GenericAlias) or not hasattr(cls, "__qualname__"):
            continue
        outer = cls.__qualname__.replace(".<locals>", "").rpartition(".")[0]
        places.append(f"{cls.__module__}.{outer}" if outer else cls.__module__)
    return re.sub(r"[^A-Za-z0-9._-]", "", "-".join(places))


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "", text) or "Value"
