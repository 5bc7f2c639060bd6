"""Defaults of another type than the annotation says: found at start, not by whoever gets one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, get_origin
from uuid import UUID

from msgspec import NODEFAULT, UNSET

from skerry.core.errors import ConfigError

from . import shape
from .places import of_field, places, spelled
from .reader import shape_of
from .shape import Shape

_CLASSES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
    "decimal": (Decimal, int),
    "str": (str,),
    "bytes": (bytes, bytearray, memoryview),
    "datetime": (datetime,),
    "date": (date,),
    "time": (time,),
    "timedelta": (timedelta,),
    "uuid": (UUID,),
}


def check_default(type: Any, value: Any) -> None:
    """Refuse a default that is of no such type. Bounds are not looked at: 0 may mean "none".

    Raises:
        ConfigError: says what it is instead.
    """
    if not _is_one(shape_of(type), value):
        raise ConfigError(f"the default {value!r} is not of the type {spelled(type)}")


def check_defaults(root: Shape) -> None:
    """The same for the fields of every record in a type.

    Raises:
        ConfigError: names the field.
    """
    for where, part in places(root):
        for field in part.fields if isinstance(part, shape.Record) else ():
            if field.default is not NODEFAULT and not _is_one(field.shape, field.default):
                raise ConfigError(
                    f"{of_field(where, part.type, field.name)}: the default {field.default!r} "
                    f"is not of the type {spelled(field.shape.type)}"
                )


def _is_one(at: Shape, value: Any) -> bool:
    """Whether a value is of a type, its parts unseen."""
    match at:
        case shape.Limited():
            return _is_one(at.shape, value)
        case shape.Union():
            return any(_is_one(arm, value) for arm in at.arms)
        case shape.Scalar():
            return isinstance(value, _CLASSES[at.name])
        case shape.Choice():
            return isinstance(value, at.type) if isinstance(at.type, type) else value in at.values
        case shape.Array() | shape.Row():
            return isinstance(value, Collection) and not isinstance(value, (str, bytes, Mapping))
        case shape.Mapping():
            return isinstance(value, Mapping)
        case shape.Record() | shape.Model():
            return isinstance(value, dict if _keyed(at) else get_origin(at.type) or at.type)
    return value is not UNSET


def _keyed(at: Shape) -> bool:
    return isinstance(at, shape.Record) and at.keyed
