"""Unions that nothing on the wire tells apart.

msgspec decodes a union whose members it can tell apart by their JSON kind or by a tag, and
refuses any other, while many contracts say no more than "one of these objects". ``OneOf[A | B]``
is ``A | B`` to a type checker; on arrival the members are tried, best match first.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar, get_args
from typing import get_type_hints as hints_of

import msgspec

from skerry.contract.codec import Codec
from skerry.contract.faults import invalid
from skerry.core.errors import BadRequest, Fault

T = TypeVar("T")


class _Accepting(type):
    """msgspec checks what its hook made against the class; the hook has checked it already."""

    members: tuple[Any, ...] = ()

    def __instancecheck__(cls, value: object) -> bool:
        return True


class _OneOf(metaclass=_Accepting):
    """What ``OneOf[A | B]`` is while the program runs: a class that stands for the union,
    which msgspec does not know and hands to ``decode_one``."""

    def __class_getitem__(cls, union: Any) -> Any:
        return _made(get_args(union) or (union,))


@lru_cache(maxsize=4096)
def _made(members: tuple[Any, ...]) -> Any:
    return _Accepting("OneOf", (_OneOf,), {"members": members})


if TYPE_CHECKING:
    OneOf: TypeAlias = Annotated[T, "any of these, as it comes"]
else:
    OneOf = _OneOf


def one_of(union: Any) -> Any:
    """``OneOf[union]``, for a union that is made while the program runs."""
    return _OneOf.__class_getitem__(union)


def decode_one(expected: Any, value: Any) -> Any:
    """msgspec's ``dec_hook``: ``value`` as the member of the union that it is.

    For an object, the members that know more of its fields come first; then the order in
    which the contract names them.

    Raises:
        ValueError: it is none of them.
    """
    if not (isinstance(expected, type) and issubclass(expected, _OneOf)):
        raise NotImplementedError(f"{expected!r} cannot be read from JSON")
    members = list(expected.members)
    if isinstance(value, dict):
        members.sort(key=lambda member: -_known(member, value))
    faults = []
    for member in members:
        try:
            return msgspec.convert(value, member, dec_hook=decode_one)
        except ValueError as error:
            faults.append(f"not {getattr(member, '__name__', member)} ({error})")
    raise ValueError(", ".join(faults))


def _known(member: Any, value: dict[str, Any]) -> int:
    """How many of an object's fields a member knows."""
    if isinstance(member, _Accepting):
        return max(_known(inner, value) for inner in member.members)
    return sum(name in value for name in getattr(member, "__struct_encode_fields__", ()))


class _Decoder:
    """``Codec``'s decode for types with a ``OneOf`` in them."""

    def __init__(self, type: Any) -> None:
        self._decoder = msgspec.json.Decoder(type, dec_hook=decode_one)

    def __call__(self, body: bytes) -> Any:
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            detail, _, where = str(error).partition(" - at ")
            pointer = where.strip("`").replace("$", "#").replace("[", "/").replace("]", "")
            fault = Fault(pointer.replace(".", "/") or "#", detail)
            raise invalid([fault]) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequest(detail=str(error)) from error


def decoder_of(type: Any) -> Any:
    """The function that decodes JSON of this type.

    Raises, when called:
        BadRequest: it is not JSON.
        Invalid: it is, and does not fit.
    """
    return _Decoder(type) if _has_one_of(type, set()) else Codec.of(type).decode


def _has_one_of(type_: Any, seen: set[Any]) -> bool:
    if isinstance(type_, type) and issubclass(type_, _OneOf):
        return True
    if hasattr(type_, "__struct_fields__"):
        if type_ in seen:
            return False
        seen.add(type_)
        return any(_has_one_of(hint, seen) for hint in hints_of(type_).values())
    return any(_has_one_of(inner, seen) for inner in get_args(type_))
