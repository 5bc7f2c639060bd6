"""Protocol buffers, as far as spans need them: the wire format, without schemas or libraries.

A field comes as its *key*, which is its number and its wire type as they are on the wire, so
that one comparison tells both, and a field of an unexpected type is skipped as an unknown one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .ids import Malformed

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

_fixed64 = struct.Struct("<Q").unpack_from
_fixed32 = struct.Struct("<I").unpack_from
double = struct.Struct("<d").unpack

_TOO_SHORT = "Truncated: length exceeds the message"


def fields(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The fields of a message: key, and its value as a number or as bytes.

    Raises:
        Malformed: it is not a message.
    """
    position, end = 0, len(data)
    try:
        while position < end:
            key = data[position]
            position += 1
            if key > 127:
                key, position = _varint(data, position - 1)
            wire = key & 7
            if wire == BYTES:
                length = data[position]
                position += 1
                if length > 127:
                    length, position = _varint(data, position - 1)
                until = position + length
                if until > end:
                    raise Malformed(_TOO_SHORT)
                yield key, 0, data[position:until]
                position = until
            elif wire == VARINT:
                number, position = _varint(data, position)
                yield key, number, b""
            elif wire == FIXED64:
                yield key, _fixed64(data, position)[0], b""
                position += 8
            elif wire == FIXED32:
                yield key, _fixed32(data, position)[0], b""
                position += 4
            else:
                raise Malformed(f"Malformed: wire type {wire} in protobuf")
    except (IndexError, struct.error):
        raise Malformed(_TOO_SHORT) from None


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 128:
            return result & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7
        if shift > 63:
            raise Malformed("Malformed: a varint of more than 10 bytes")


def signed(number: int) -> int:
    """An ``int32`` or ``int64`` from its varint."""
    return number - (1 << 64) if number >> 63 else number


def text(raw: bytes) -> str:
    """A ``string``; what is not UTF-8 in it is replaced."""
    return raw.decode(errors="replace")


def message(*parts: tuple[int, int | str | bytes]) -> bytes:
    """A message of some fields, by their numbers: integers as varints, the rest as bytes."""
    written = bytearray()
    for number, value in parts:
        if isinstance(value, int):
            written += _written(number << 3 | VARINT) + _written(value)
        else:
            raw = value.encode() if isinstance(value, str) else value
            written += _written(number << 3 | BYTES) + _written(len(raw)) + raw
    return bytes(written)


def _written(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
