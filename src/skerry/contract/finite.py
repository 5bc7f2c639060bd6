"""The search for numbers that JSON does not have: NaN and the infinities.

msgspec writes such a float as ``null`` and such a decimal as a string, silently. The search
runs only when what was written contains one of these (see ``codec``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

from .pointer import join

_PLAIN = (str, bytes, bool, int, type(None))


def unfinite(value: Any) -> str | None:
    """The pointer of the first NaN or infinity in a value, None without one."""
    waiting: list[tuple[str, Any]] = [("#", value)]
    seen: set[int] = set()
    while waiting:
        where, current = waiting.pop()
        if isinstance(current, float):
            if not isfinite(current):
                return where
        elif isinstance(current, Decimal):
            if not current.is_finite():
                return where
        elif not isinstance(current, _PLAIN) and id(current) not in seen:
            seen.add(id(current))
            waiting.extend(reversed([(join(where, key), part) for key, part in _parts(current)]))
    return None


def _parts(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield str(key), key
            yield str(key), part
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from enumerate(value)
    elif hasattr(value, "__struct_fields__"):
        for name, key in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
            yield key, getattr(value, name)
    else:
        yield from getattr(value, "__dict__", {}).items()
        yield from (getattr(value, "__pydantic_extra__", None) or {}).items()
        for name in getattr(type(value), "__slots__", ()):
            if hasattr(value, name) and not name.startswith("__"):
                yield name, getattr(value, name)
