"""From a type as written to its shape."""

from __future__ import annotations

import dataclasses
from collections import abc
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from inspect import isclass
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    NotRequired,
    Required,
    TypeVar,
    get_args,
    get_origin,
)
from uuid import UUID

import msgspec
from msgspec import NODEFAULT, UNSET, Struct, UnsetType

from skerry.core.errors import ConfigError

from . import aliases, hints, rules, shape
from .foreign import fault_of, is_model
from .places import below, of_field, spelled
from .shape import Shape

_SCALARS: dict[Any, str] = {
    None: "null",
    type(None): "null",
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    bytes: "bytes",
    bytearray: "bytes",
    memoryview: "bytes",
    Decimal: "decimal",
    datetime: "datetime",
    date: "date",
    time: "time",
    timedelta: "timedelta",
    UUID: "uuid",
}
_ANYTHING = (Any, msgspec.Raw)
_SETS = (set, frozenset, abc.Set, abc.MutableSet)
_ARRAYS = (list, tuple, abc.Sequence, abc.MutableSequence, abc.Collection, *_SETS)
_MAPPINGS = (dict, abc.Mapping, abc.MutableMapping)
_WRAPPERS = (Required, NotRequired, Final)


def shape_of(type: Any) -> Shape:
    """The shape of a type.

    Raises:
        ConfigError: JSON cannot carry it, or a constraint on it makes no sense; says where.
    """
    return _Reader().read(hints.adapt(type), "")


class _Reader:
    """Keeps the records it has met, since they may contain themselves."""

    def __init__(self) -> None:
        self._records: dict[Any, shape.Record] = {}

    def read(self, hint: Any, where: str) -> Shape:
        origin = get_origin(hint)
        if origin is Annotated:
            return self._annotated(hint, where)
        if _hashable(hint) and hint in _SCALARS:
            return shape.Scalar(hint, _SCALARS[hint])
        if hint in _ANYTHING:
            return shape.Anything(Any)
        if isinstance(hint, NewType):
            return self.read(hint.__supertype__, where)
        if isinstance(hint, TypeVar):
            return self.read(aliases.fill(hint, {}), where)
        if origin is Literal:
            return shape.Choice(hint, _literals(hint))
        if origin in aliases.UNIONS:
            return self._union(hint, where)
        if _wraps(origin):
            return self.read(get_args(hint)[0], where)
        if (origin or hint) in _ARRAYS:
            return self._array(hint, origin or hint, where)
        if (origin or hint) in _MAPPINGS:
            return self._mapping(hint, where)
        return self._class(hint, origin or hint, where)

    def _annotated(self, hint: Any, where: str) -> Shape:
        base, *notes = get_args(hint)
        found, said = rules.read(notes)
        return _limit(self.read(base, where), hint, found, said, where)

    def _union(self, hint: Any, where: str) -> Shape:
        arms: list[Shape] = []
        for option in get_args(hint):
            if option is UnsetType:
                continue
            arm = self.read(option, where)
            arms.extend(arm.arms if isinstance(arm, shape.Union) else (arm,))
        return arms[0] if len(arms) == 1 else shape.Union(hint, tuple(arms))

    def _array(self, hint: Any, origin: Any, where: str) -> Shape:
        arguments = get_args(hint)
        if origin is tuple and arguments and arguments[-1] is not ...:
            return shape.Row(hint, tuple(self.read(item, below(where, "[]")) for item in arguments))
        item = self.read(arguments[0] if arguments else Any, below(where, "[]"))
        unique = origin in _SETS
        if unique:
            _check_hashable(item, hint, where)
        return shape.Array(hint, item, unique)

    def _mapping(self, hint: Any, where: str) -> Shape:
        key, value = get_args(hint) or (Any, Any)
        read = self.read(key, where)
        if not isinstance(shape.bare(read), (shape.Scalar, shape.Choice, shape.Anything)):
            raise ConfigError(f"{_at(where)}{spelled(hint)}: the keys of a JSON object are text")
        return shape.Mapping(hint, read, self.read(value, below(where, "{}")))

    def _class(self, hint: Any, cls: Any, where: str) -> Shape:
        if not isclass(cls):
            raise ConfigError(f"{_at(where)}{spelled(hint)} is not a type that JSON can carry")
        if issubclass(cls, Enum):
            return shape.Choice(cls, tuple(member.value for member in cls))
        if is_model(cls):
            if dataclasses.is_dataclass(cls):
                raise ConfigError(
                    f"{_at(where)}{cls.__name__} is a Pydantic dataclass, which would not be "
                    "validated here; make it a BaseModel or a dataclass of the standard library"
                )
            if fault := fault_of(cls):
                raise ConfigError(f"{_at(where)}{cls.__name__} {fault}")
            return shape.Model(hint)
        if hint in self._records:
            return self._records[hint]
        describe = _record_kind(cls)
        if describe is None:
            raise ConfigError(f"{_at(where)}{cls.__qualname__} is not a type that JSON can carry")
        record = self._records[hint] = shape.Record(hint)
        annotations = hints.hints_of(hint)
        record.fields = tuple(
            shape.Field(
                name, key, self.read(annotations[name], of_field(where, hint, name)), needed, value
            )
            for name, key, needed, value in describe(record, cls, annotations)
        )
        return record


_Fields = abc.Iterator[tuple[str, str, bool, Any]]


def _record_kind(
    cls: Any,
) -> abc.Callable[[shape.Record, Any, dict[str, Any]], _Fields] | None:
    if issubclass(cls, Struct):
        return _struct
    if dataclasses.is_dataclass(cls):
        return _dataclass
    if hasattr(cls, "__attrs_attrs__"):
        return _attrs
    if hints.is_typed_dict(cls):
        return _typed_dict
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _named_tuple
    return None


def _struct(record: shape.Record, cls: Any, _: dict[str, Any]) -> _Fields:
    config = cls.__struct_config__
    record.closed = config.forbid_unknown_fields
    record.positional = config.array_like
    record.hooked = hasattr(cls, "__post_init__")
    if config.tag is not None:
        record.tag = (config.tag_field, config.tag)
    for info in msgspec.structs.fields(cls):
        value = _default(info.default, info.default_factory)
        yield info.name, info.encode_name, info.required, value


def _dataclass(record: shape.Record, cls: Any, _: dict[str, Any]) -> _Fields:
    record.hooked = hasattr(cls, "__post_init__")
    for info in dataclasses.fields(cls):
        value = NODEFAULT if info.default is dataclasses.MISSING else info.default
        factory = NODEFAULT if info.default_factory is dataclasses.MISSING else info.default_factory
        required = value is NODEFAULT and factory is NODEFAULT
        yield info.name, info.name, required, _default(value, factory)


def _attrs(record: shape.Record, cls: Any, _: dict[str, Any]) -> _Fields:
    record.hooked = True  # validators
    for info in cls.__attrs_attrs__:
        required = info.default is hints.missing_attrs()
        factory = getattr(info.default, "factory", NODEFAULT)
        value = NODEFAULT if required or factory is not NODEFAULT else info.default
        yield info.name, info.name, required, _default(value, factory)


def _typed_dict(record: shape.Record, cls: Any, annotations: dict[str, Any]) -> _Fields:
    record.keyed = True
    for name, hint in annotations.items():
        # The marks are looked for again, since a class whose annotations are text has
        # __required_keys__ that knows nothing of them.
        marks = set()
        while _wraps(get_origin(hint)):
            marks.add(get_origin(hint))
            hint = get_args(hint)[0]
        needed = Required in marks or (name in cls.__required_keys__ and NotRequired not in marks)
        yield name, name, needed, NODEFAULT


def _named_tuple(record: shape.Record, cls: Any, _: dict[str, Any]) -> _Fields:
    record.positional = True
    record.closed = True
    for name in cls._fields:
        value = cls._field_defaults.get(name, NODEFAULT)
        yield name, name, value is NODEFAULT, value


def _wraps(origin: Any) -> bool:
    # ReadOnly is in typing from 3.13 on, and before that wherever typing_extensions is.
    return origin in _WRAPPERS or getattr(origin, "_name", "") == "ReadOnly"


def _default(value: Any, factory: Any) -> Any:
    if value is UNSET:
        return NODEFAULT
    if value is NODEFAULT and factory in (list, dict, set, frozenset, tuple):
        return factory()
    return value


def _limit(
    inner: Shape, hint: Any, found: tuple[rules.Rule, ...], said: rules.Notes, where: str
) -> Shape:
    """``inner`` with rules, each on the members of a union it makes sense for."""
    arms = shape.arms_of(inner)
    for rule in found:
        if not any(rule.applies(arm.kind) for arm in arms):
            raise ConfigError(
                f"{_at(where)}a constraint {rule.name!r} makes no sense for {spelled(inner.type)}"
            )
    if not isinstance(shape.bare(inner), shape.Union):
        return shape.Limited(hint, inner, found, said) if found or said else inner
    if not found:
        return shape.Limited(hint, inner, (), said) if said else inner
    limited = []
    for arm in arms:
        here = tuple(rule for rule in found if rule.applies(arm.kind) and not shape.is_null(arm))
        limited.append(shape.Limited(arm.type, arm, here) if here else arm)
    union = shape.Union(hint, tuple(limited))
    return shape.Limited(hint, union, (), said) if said else union


def _literals(hint: Any) -> tuple[Any, ...]:
    values: list[Any] = []
    for value in get_args(hint):
        values.extend(_literals(value) if get_origin(value) is Literal else (value,))
    return tuple(values)


def _check_hashable(item: Shape, hint: Any, where: str) -> None:
    for part in shape.arms_of(item):
        inner = shape.bare(part)
        frozen = isinstance(inner, (shape.Scalar, shape.Choice)) or (
            isinstance(inner, (shape.Record, shape.Model))
            and getattr(get_origin(inner.type) or inner.type, "__hash__", None) is not None
        )
        if isinstance(inner, shape.Row) or (
            isinstance(inner, shape.Array) and issubclass(_class_of(inner.type), (tuple, frozenset))
        ):
            continue
        if not frozen:
            raise ConfigError(f"{_at(where)}{spelled(hint)}: the items of a set must be hashable")


def _class_of(hint: Any) -> type:
    origin = get_origin(hint) or hint
    return origin if isinstance(origin, type) else object


def _hashable(hint: Any) -> bool:
    try:
        hash(hint)
    except TypeError:
        return False
    return True


def _at(where: str) -> str:
    return f"{where}: " if where else ""
