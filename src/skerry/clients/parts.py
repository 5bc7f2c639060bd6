"""The parts of a request that a contract speaks of, and how each is written on the wire.

A part turns one argument of a method into text in the path, the query, a header or a cookie.
The styles are OpenAPI's (3.1, "Style Values"); what a style leaves open for nested values is
done as most servers read it: ``filter[since][gte]=1``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from urllib.parse import quote

from msgspec import UNSET, to_builtins

from skerry.contract.codec import Codec, TextCodec

Where = Literal["path", "query", "header", "cookie"]
Style = Literal["form", "simple", "spaceDelimited", "pipeDelimited", "deepObject", "json"]
Pairs = list[tuple[str, str]]

_DELIMITERS: dict[str, str] = {"spaceDelimited": " ", "pipeDelimited": "|"}
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]+").fullmatch


@dataclass(frozen=True, slots=True)
class Part:
    """One parameter of an endpoint.

    Attributes:
        where: the place it stands in.
        name: its name on the wire.
        type: its Python type.
        default: what the server assumes without it; such a value is not sent.
        style: how lists and objects are written.
        explode: whether each element of a list is a parameter of its own.
        mint: whether a key of our own is made where the caller gives none.
    """

    where: Where
    name: str
    type: Any = str
    default: Any = None
    style: Style = "form"
    explode: bool = True
    mint: bool = False


def path(name: str, type: Any = str, *, style: Style = "simple", explode: bool = False) -> Part:
    return Part("path", name, type, None, style, explode)


def query(
    name: str, type: Any = str, *, default: Any = None, style: Style = "form", explode: bool = True
) -> Part:
    return Part("query", name, type, default, style, explode)


def header(name: str, type: Any = str, *, default: Any = None, style: Style = "simple") -> Part:
    return Part("header", name, type, default, style, explode=False)


def cookie(name: str, type: Any = str, *, default: Any = None) -> Part:
    return Part("cookie", name, type, default, explode=False)


def idempotency_key(name: str = "Idempotency-Key") -> Part:
    """The header that makes a call safe to repeat: minted once for a call, whatever happens
    to its attempts, unless the caller has a key already."""
    return Part("header", name, str, None, "simple", explode=False, mint=True)


def escape(text: str) -> str:
    """Percent-encoded, everything but RFC 3986's unreserved characters."""
    return text if _UNRESERVED(text) else quote(text, safe="")


def write_query(pairs: Pairs) -> str:
    return "&".join([f"{escape(name)}={escape(value)}" for name, value in pairs])


def writer(part: Part) -> Callable[[Any], Pairs]:
    """The function that writes a value of this part as names and texts."""
    name = part.name
    if part.style == "json":
        codec = Codec.of(part.type)
        return lambda value: [(name, codec.encode(value).decode())]
    if part.type is str:
        return lambda value: [(name, value)]
    plain = part.type is int and part.style in ("form", "simple")
    texts: Callable[[Any], list[str]] | None = None
    if _is_textual(part.type):
        texts = TextCodec.of(part.type).encode

    def write(value: Any) -> Pairs:
        if value.__class__ is int and plain:
            return [(name, str(value))]
        if texts is None or isinstance(value, Mapping):
            return write_object(part, to_builtins(value, str_keys=True))
        words = texts(value)
        if part.style == "deepObject" and isinstance(value, list | tuple | set | frozenset):
            return [(f"{name}[{index}]", word) for index, word in enumerate(words)]
        if part.explode:
            return [(name, word) for word in words]
        return [(name, _DELIMITERS.get(part.style, ",").join(words))]

    return write


def write_object(part: Part, value: Any) -> Pairs:
    """An object, or a list of them, as parameters.

    Args:
        part: its name, style and explode decide.
        value: made of dict, list, str, int, float, bool and None only.
    """
    if part.style == "deepObject":
        return list(_deep(part.name, value))
    if isinstance(value, Mapping):
        items = [(str(key), text(item)) for key, item in value.items() if item is not None]
        if part.explode:
            if part.where in ("query", "cookie"):
                return items
            return [(part.name, ",".join(f"{key}={item}" for key, item in items))]
        return [(part.name, ",".join(word for item in items for word in item))]
    if isinstance(value, list):
        words = [text(item) for item in value]
        if part.explode:
            return [(part.name, word) for word in words]
        return [(part.name, _DELIMITERS.get(part.style, ",").join(words))]
    return [(part.name, text(value))]


def _deep(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _deep(f"{name}[{key}]", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _deep(f"{name}[{index}]", item)
    elif value is not None and value is not UNSET:
        yield name, text(value)


def text(value: Any) -> str:
    """A scalar as text; anything deeper as JSON, which is all that is left to do with it."""
    return value if isinstance(value, str) else Codec.of(Any).encode(value).decode()


def _is_textual(type: Any) -> bool:
    """Whether values of this type are scalars, or lists of them: what ``TextCodec`` knows."""
    if get_origin(type) in (Union, UnionType, Annotated, list):
        return all(_is_textual(inner) for inner in get_args(type)[:1] or ())
    return not (type is Any or get_origin(type) is dict or hasattr(type, "__struct_fields__"))
