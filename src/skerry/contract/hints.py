"""Annotations as types: evaluated, with type variables filled in, in words msgspec takes.

msgspec refuses to build a decoder for ``Annotated[Decimal, Meta(gt=0)]`` or for a ``Meta`` on
``int | None``. The constraint makes sense all the same, so it is moved into a ``Rule`` beside the
``Meta``, which msgspec ignores and ``check`` enforces.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import replace
from datetime import datetime, time
from functools import reduce
from operator import or_
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NewType,
    Protocol,
    get_args,
    get_origin,
    get_type_hints,
)

from msgspec import Meta

from skerry.core.errors import ConfigError

from . import foreign, rules
from .aliases import UNIONS, fill, meaning, plain

_KINDS: dict[Any, str] = {
    int: "int",
    float: "float",
    str: "str",
    bytes: "bytes",
    bytearray: "bytes",
    datetime: "datetime",
    time: "time",
}


def hints_of(owner: Any) -> dict[str, Any]:
    """The annotations of a class or a generic alias, base classes first.

    ``Annotated`` and ``Required`` are kept; type variables are replaced by what they stand for.

    Raises:
        ConfigError: one names something that cannot be found.
    """
    cls = get_origin(owner) or owner
    return _collect(cls, dict(zip(_parameters(cls), get_args(owner), strict=False)))


def _collect(cls: Any, given: dict[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for base in reversed(cls.__dict__.get("__orig_bases__", cls.__bases__)):
        origin = get_origin(base) or base
        if origin in (Generic, Protocol, object) or not isinstance(origin, type):
            continue
        arguments = [fill(argument, given) for argument in get_args(base)]
        found.update(_collect(origin, dict(zip(_parameters(origin), arguments, strict=False))))
    for name, hint in _evaluated(cls).items():
        adapted = adapt(hint)
        if adapted is not hint:  # put it where msgspec looks: into the class
            cls.__annotations__[name] = adapted
        found[name] = fill(adapted, given)
    return found


def _parameters(cls: Any) -> tuple[Any, ...]:
    return getattr(cls, "__parameters__", ())


def _evaluated(cls: Any) -> dict[str, Any]:
    """A class's own annotations, not those of its bases."""
    own = inspect.get_annotations(cls)
    if not own or cls.__module__ in ("builtins", "typing"):
        return {}
    try:
        hints = get_type_hints(cls, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise ConfigError(
            f"{cls.__module__}.{cls.__qualname__}: cannot read its annotations: {error}"
        ) from error
    return {name: hints[name] for name in own if name in hints}


def adapt(hint: Any, within: tuple[Any, ...] = ()) -> Any:
    """``hint`` in a spelling that msgspec takes; the very same object if it already is.

    Args:
        within: the names whose meaning this is part of.

    Raises:
        ConfigError: a name that is defined by itself.
    """
    if hint is object:
        return Any
    meant = meaning(hint)
    if meant is not hint:
        if hint in within:
            raise ConfigError(f"{hint} is defined by itself, which only a class can be here")
        adapted = adapt(meant, (*within, hint))
        return hint if adapted is meant and isinstance(hint, NewType) else adapted
    arguments = get_args(hint)
    if not arguments or get_origin(hint) is Literal:
        return hint
    if get_origin(hint) is Annotated:
        return _adapt_annotated(hint, within)
    if get_origin(hint) in UNIONS and foreign.is_theirs(hint):
        return foreign.as_model(hint)
    inner = tuple(adapt(argument, within) for argument in arguments)
    if all(new is old for new, old in zip(inner, arguments, strict=True)):
        return hint
    if get_origin(hint) in UNIONS:
        return reduce(or_, inner)
    return get_origin(hint)[inner if len(inner) > 1 else inner[0]]


def _adapt_annotated(hint: Any, within: tuple[Any, ...]) -> Any:
    base, *notes = get_args(hint)
    if get_origin(plain(base)) in UNIONS and foreign.is_theirs(base):
        return Annotated[(foreign.as_model(hint), *notes)]  # a note may name the discriminator
    inner = adapt(base, within)
    adapted = [new for note in notes for new in _adapt_note(note, inner)]
    if inner is base and len(adapted) == len(notes):
        return hint
    return Annotated[(inner, *adapted)]


def _adapt_note(note: Any, base: Any) -> list[Any]:
    if not isinstance(note, Meta):
        return [note]
    found, _ = rules.read([note])
    kind = _kind(base)
    refused = [rule for rule in found if not rule.native(kind)]
    if not refused:
        return [note]
    kept = {
        name: getattr(note, name)
        for name in ("title", "description", "examples", "extra_json_schema", "extra")
    }
    for rule in found:
        if rule not in refused:
            kept["tz" if rule.name == "timezone" else rule.name] = getattr(
                note, "tz" if rule.name == "timezone" else rule.name
            )
    return [Meta(**kept), *(replace(rule, meta=False) for rule in refused)]


def _kind(base: Any) -> str:
    base = plain(base)
    origin = get_origin(base) or base
    if origin in _KINDS:
        return _KINDS[origin]
    name = getattr(origin, "__name__", "").lower()
    if "mapping" in name or origin is dict:
        return "mapping"
    if name in ("list", "set", "frozenset", "tuple", "collection", "mutablesequence", "mutableset"):
        return "array"
    return "array" if name in ("sequence", "abstractset") else "other"


def is_typed_dict(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, dict) and hasattr(cls, "__total__")


def missing_attrs() -> Any:
    """attrs' mark for "no default", if attrs is in use at all."""
    attr = sys.modules.get("attr")
    return attr.NOTHING if attr else None
