"""Names that stand for types: ``NewType``, ``type X = ...`` (PEP 695), type variables."""

from __future__ import annotations

import types
from functools import reduce
from operator import or_
from typing import Annotated, Any, NewType, TypeVar, Union, get_args, get_origin

UNIONS = (Union, types.UnionType)


def meaning(hint: Any) -> Any:
    """What a name stands for, which may be a name again; the very same object if it is none."""
    if isinstance(hint, NewType):
        return hint.__supertype__
    alias = get_origin(hint) or hint
    if not isinstance(alias, type) and hasattr(alias, "__value__"):
        given = dict(zip(alias.__type_params__, get_args(hint), strict=False))
        return fill(alias.__value__, given)
    return hint


def plain(hint: Any) -> Any:
    """The type behind names and ``Annotated``."""
    while (inner := get_args(hint)[0] if _annotated(hint) else meaning(hint)) is not hint:
        hint = inner
    return hint


def sole(hint: Any) -> Any:
    """The type behind names, ``Annotated`` and ``| None``; a union of more than that as it is."""
    hint = plain(hint)
    if get_origin(hint) in UNIONS:
        options = [option for option in get_args(hint) if option is not type(None)]
        return sole(options[0]) if len(options) == 1 else hint
    return hint


def fill(hint: Any, given: dict[Any, Any]) -> Any:
    """``hint`` with its type variables replaced; an unknown one by its bound, or ``Any``."""
    if isinstance(hint, TypeVar):
        if hint in given:
            return given[hint]
        default = getattr(hint, "__default__", None)
        if default is not None and "NoDefault" not in repr(default):
            return default
        return hint.__bound__ or (
            reduce(or_, hint.__constraints__) if hint.__constraints__ else Any
        )
    free = getattr(hint, "__parameters__", ())
    if not free or isinstance(hint, type):
        return hint
    return hint[tuple(fill(parameter, given) for parameter in free)]


def _annotated(hint: Any) -> bool:
    return get_origin(hint) is Annotated
