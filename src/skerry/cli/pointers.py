"""JSON pointers (RFC 6901) into values, and the JSON of bodies with its numbers unrounded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from .output import fail

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


def decoded(body: bytes | str) -> Any:
    """JSON as a value whose numbers are all there.

    Raises:
        ValueError: it is none.
    """
    return _decode(body)


def encoded(value: Any) -> bytes:
    return _encode(value)


def get(value: Any, pointer: str) -> Any:
    """What ``pointer`` names in ``value``.

    Raises:
        LookupError: nothing is there.
    """
    for part in _parts(pointer):
        value = value[_index(value, part)]
    return value


def put(value: Any, pointer: str, new: Any) -> Any:
    """``value`` with ``new`` where ``pointer`` says; the value itself is changed.

    A member of an object may be new; ``-`` is the place behind the last item of a list.

    Raises:
        LookupError: the place is in nothing.
    """
    *way, last = _parts(pointer) or ("",)
    if pointer == "":
        return new
    place = value
    for part in way:
        place = place[_index(place, part)]
    if isinstance(place, list) and last == "-":
        place.append(new)
    elif isinstance(place, dict):
        place[last] = new
    else:
        place[_index(place, last)] = new
    return value


def _parts(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        fail(f"{pointer!r} is no JSON pointer: it begins with a slash, as /payer/name", 2)
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _index(value: Any, part: str) -> str | int:
    if isinstance(value, dict) and part in value:
        return part
    if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
        return int(part)
    raise LookupError(f"nothing is at {part!r}")
