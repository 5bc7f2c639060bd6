"""Settings: a typed view of the environment, checked at start, with secrets that stay secret."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Generic, TypeVar, get_args, get_origin

import msgspec

from skerry.contract.aliases import sole
from skerry.contract.codec import TextCodec
from skerry.contract.hints import hints_of
from skerry.core.errors import ConfigError, Invalid

T = TypeVar("T")


class Secret(Generic[T]):
    """A value that does not print. ``reveal()`` is the only way to it, and easy to grep for."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> Any:
        raise TypeError("a Secret is not pickled: it would print there")


def load(kind: type[T], environment: Mapping[str, str] | None = None, prefix: str = "") -> T:
    """An instance of ``kind`` with each field read from ``PREFIX_FIELD``.

    Args:
        kind: a msgspec Struct or a dataclass; fields are text types, ``Secret`` of one, or
            lists of one, written with commas; any of them ``| None``.
        environment: by default the process's own.

    Raises:
        ConfigError: naming every variable that is missing or wrong; never a secret's value.
    """
    source = os.environ if environment is None else environment
    hints = hints_of(kind)
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for name, required in _fields(kind):
        variable = f"{prefix}{name}".upper()
        text = source.get(variable)
        if text is None:
            if required:
                wrong.append(f"{variable} is not set")
            continue
        hint = hints[name]
        secret = (get_origin(sole(hint)) or sole(hint)) is Secret
        inner = (get_args(sole(hint)) or (str,))[0] if secret else hint
        many = get_origin(sole(inner)) in (list, set, tuple, frozenset)
        parts = [part.strip() for part in text.split(",")] if many and text else [text]
        try:
            value = TextCodec.of(inner).decode(parts if text or not many else [], variable)
        except Invalid as error:
            said = "its value is not of the right form" if secret else error.errors[0].detail
            wrong.append(f"{variable}: {said}")
            continue
        values[name] = Secret(value) if secret else value
    if wrong:
        raise ConfigError(f"settings {kind.__name__}: " + "; ".join(wrong))
    return kind(**values)


def _fields(kind: type[Any]) -> list[tuple[str, bool]]:
    """Name and requiredness of each field, of a Struct or a dataclass alike."""
    if issubclass(kind, msgspec.Struct):
        return [(field.name, field.required) for field in msgspec.structs.fields(kind)]
    if not dataclasses.is_dataclass(kind):
        raise ConfigError(f"settings {kind.__name__}: must be a msgspec Struct or a dataclass")
    return [
        (field.name, field.default is field.default_factory is dataclasses.MISSING)
        for field in dataclasses.fields(kind)
    ]
