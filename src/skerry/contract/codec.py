"""JSON bodies to values and back: fast where it works, thorough where it does not.

Decoding is one call of msgspec into the type, and one compiled check where the type says
something msgspec does not enforce. Only when that fails is the body read again, slowly, to name
every fault (``explain``).

What RFC 8259 leaves open is decided here: a repeated member's last value counts, and each has to
fit; a byte order mark, NaN, the infinities, lone surrogates and anything but UTF-8 are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec

from skerry.core.errors import BadRequest, ConfigError, Error, Fault

from . import foreign, hints, shape
from .check import compile_check
from .defaults import check_defaults
from .explain import explain, unknown
from .faults import invalid
from .finite import unfinite
from .jsontext import syntax_fault, with_integers
from .places import places, spelled
from .reader import shape_of
from .text import TextCodec

__all__ = ["Codec", "EncodeError", "TextCodec"]

T = TypeVar("T")
Buffer = bytes | bytearray | memoryview


class EncodeError(Error, ValueError):
    """A value that JSON cannot carry: the app's mistake, not the caller's."""


class Codec(Generic[T]):
    """JSON bodies of one type.

    Args:
        type: a msgspec Struct, dataclass, TypedDict, attrs class, NamedTuple or Pydantic model;
            builtins, dates, UUID, Decimal, Enum, Literal; lists, mappings and unions of them.
        strict: refuse fields the type does not have.

    Raises:
        ConfigError: JSON cannot carry the type, a constraint on it makes no sense, or a default
            in it is of another type; names the field.
    """

    def __init__(self, type: Any, *, strict: bool = False) -> None:
        self.type = type
        self.strict = strict
        self.shape = shape_of(type)
        adapted = hints.adapt(type)
        try:
            decoder = msgspec.json.Decoder(adapted, dec_hook=foreign.dec_hook)
        except TypeError as error:
            raise ConfigError(_refusal(self.shape, error)) from None
        check_defaults(self.shape)
        self._decode: Callable[[Buffer], T] = decoder.decode
        self._encode = msgspec.json.Encoder(enc_hook=foreign.enc_hook).encode
        self._check = compile_check(self.shape)
        self._suspicious = _signs_of_unfinite(self.shape)

    @classmethod
    def of(cls, type: Any, *, strict: bool = False) -> Codec[Any]:
        """The codec of a type, made once."""
        try:
            return _cached(type, strict)
        except TypeError:  # an annotation that has no hash
            return cls(type, strict=strict)

    def decode(self, body: Buffer) -> T:
        """The value of a body.

        Raises:
            BadRequest: the body is not JSON; says where.
            Invalid: it is, and does not fit the type; all faults at once (up to 100).
        """
        error: Exception | None = None
        try:
            value = self._decode(body)
            if (self._check is None or self._check(value)) and not (
                self.strict and self.unknown(body)
            ):
                return value
        except (ValueError, TypeError, RecursionError) as refused:
            error = refused
        return self._second_look(bytes(body), error)

    def encode(self, value: T) -> bytes:
        """The body of a value. It is not validated: an app is trusted with its own types.

        Raises:
            EncodeError: JSON has no way to write it, NaN and the infinities among that.
        """
        try:
            body = self._encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise EncodeError(f"cannot write this as JSON: {error}") from error
        for sign in self._suspicious:
            if sign in body:
                where = unfinite(value)
                if where is not None:
                    raise EncodeError(f"{where} is NaN or infinite, which JSON does not have")
                break
        return body

    def unknown(self, body: Buffer) -> list[str]:
        """Pointers of the fields in a body that the type does not have (up to 100).

        Much slower than ``decode``: call it on a sample. A body that is not JSON has none.
        """
        try:
            return unknown(self.shape, bytes(body))
        except (ValueError, TypeError, RecursionError, IndexError):
            return []

    def _second_look(self, body: bytes, error: Exception | None) -> T:
        unreadable = syntax_fault(body)
        if unreadable is not None:
            raise BadRequest(detail=f"The body is not JSON: {unreadable}.")
        written = with_integers(body)
        if written is not body:
            return self.decode(written)
        try:
            faults = explain(self.shape, body, strict=self.strict)
        except (msgspec.DecodeError, UnicodeDecodeError) as second:
            raise BadRequest(detail=_unreadable(second)) from None
        if not faults and error is not None and not isinstance(error, msgspec.ValidationError):
            raise BadRequest(detail=_unreadable(error))
        raise invalid(faults or [Fault("#", str(error or "does not fit"))])


def _unreadable(error: Exception) -> str:
    """What msgspec refuses and the standard library does not: half of a surrogate pair."""
    if isinstance(error, RecursionError):
        return "The body is not JSON: nested too deeply."
    return f"The body is not JSON: a string in it is not Unicode ({error})."


def _refusal(root: shape.Shape, error: Exception) -> str:
    """What msgspec says of the innermost part that it makes no decoder for, and where that is."""
    refused = {id(part): str(said) for _, part in places(root) if (said := _refused(part))}
    for where, part in places(root):
        inner = [child for child in shape.children(part) if id(child) in refused]
        if id(part) in refused and not inner:
            return f"{where or spelled(part.type)}: {refused[id(part)]}"
    return f"{spelled(root.type)}: {error}"


def _refused(part: shape.Shape) -> TypeError | None:
    try:
        msgspec.json.Decoder(part.type, dec_hook=foreign.dec_hook)
    except TypeError as error:
        return error
    return None


def _signs_of_unfinite(root: shape.Shape) -> tuple[bytes, ...]:
    """What a body contains if the value has a NaN or an infinity.

    A search for bytes costs nanoseconds, so values are searched only where one of these is seen.
    """
    signs: set[bytes] = set()
    for part in shape.reachable(root):
        kind = part.kind
        if kind in ("float", "any", "model"):
            signs.add(b"null")
        if kind in ("decimal", "any", "model"):
            signs.update((b'NaN"', b'Infinity"'))
        if isinstance(part, shape.Mapping) and part.key.kind in ("float", "any"):
            signs.update((b'"nan"', b'inf"'))
    return tuple(sorted(signs))


@lru_cache(maxsize=4096)
def _cached(type: Any, strict: bool) -> Codec[Any]:
    return Codec(type, strict=strict)
