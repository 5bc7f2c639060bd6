"""Bytes to values and back, with every fault named when it does not work."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Generic, NoReturn, TypeVar

import msgspec

from skerry.core.errors import BadRequest, Fault, Invalid

T = TypeVar("T")


class Codec(Generic[T]):
    """JSON bodies of one type."""

    def __init__(self, type: Any, *, strict: bool = False) -> None:
        self.type = type
        self.strict = strict
        self._decode = msgspec.json.Decoder(type).decode
        self._encode = msgspec.json.Encoder().encode

    @classmethod
    def of(cls, type: Any, *, strict: bool = False) -> Codec[Any]:
        """The codec of a type, made once."""
        try:
            return _cached(type, strict)
        except TypeError:  # an annotation that has no hash
            return cls(type, strict=strict)

    def decode(self, body: bytes | bytearray | memoryview) -> T:
        """The value of a body.

        Raises:
            BadRequest: the body is not JSON.
            Invalid: it is, and does not fit the type; all faults at once.
        """
        try:
            value: T = self._decode(body)
        except msgspec.ValidationError as error:
            self._refuse(str(error))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequest(detail=str(error)) from None
        return value

    def encode(self, value: T) -> bytes:
        """The body of a value."""
        return self._encode(value)

    def unknown(self, body: bytes | bytearray | memoryview) -> list[str]:
        """Pointers of the fields in a body that the type does not have."""
        return []

    def _refuse(self, message: str) -> NoReturn:
        detail, _, path = message.partition(" - at ")
        pointer = path.strip("`").replace("$", "#").replace("[", "/").replace("]", "")
        raise Invalid(errors=[Fault(pointer.replace(".", "/") or "#", detail)]) from None


class TextCodec(Generic[T]):
    """Path, query, header and cookie text of one type."""

    def __init__(self, type: Any) -> None:
        self.type = type

    @classmethod
    def of(cls, type: Any) -> TextCodec[Any]:
        return cls(type)

    def decode(self, values: Sequence[str], where: str) -> T:
        """The value of what was given, once for each repeat.

        Raises:
            Invalid: the text does not mean a value of the type.
        """
        try:
            value: T = msgspec.convert(values, self.type, strict=False)
        except msgspec.ValidationError:
            try:
                value = msgspec.convert(values[-1] if values else None, self.type, strict=False)
            except msgspec.ValidationError as error:
                raise Invalid(errors=[Fault(where, str(error))]) from None
        return value

    def encode(self, value: T) -> list[str]:
        """The text of a value: one item for each repeat, none for None."""
        plain = msgspec.to_builtins(value)
        items = plain if isinstance(plain, list) else [] if plain is None else [plain]
        return [i if isinstance(i, str) else msgspec.json.encode(i).decode() for i in items]


@lru_cache(maxsize=4096)
def _cached(type: Any, strict: bool) -> Codec[Any]:
    return Codec(type, strict=strict)
