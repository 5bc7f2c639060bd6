"""Arguments that come as text: the path, the query, headers and cookies of a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from skerry.contract.codec import TextCodec
from skerry.core.errors import BadRequest, Fault, Invalid
from skerry.core.wire import Request

from .binding import Argument
from .cookies import parse_cookies

Fill: TypeAlias = Callable[[Request, dict[str, Any]], list[Fault]]
"""Adds what it finds in the request to the arguments, and returns what is wrong."""

_Read: TypeAlias = Callable[[Request], Any]


def filler(arguments: Sequence[Argument]) -> Fill | None:
    """What fills in those of ``arguments`` that come as text; None if none of them does."""
    readers = [(a.name, read) for a in arguments if (read := _reader(a)) is not None]
    spread = _spread([a for a in arguments if a.source in ("query", "cookie")])
    if not readers:
        return spread

    def fill(request: Request, arguments: dict[str, Any]) -> list[Fault]:
        faults = spread(request, arguments) if spread is not None else []
        for name, read in readers:
            try:
                arguments[name] = read(request)
            except Invalid as error:
                faults += error.errors
        return faults

    return fill


def _reader(argument: Argument) -> _Read | None:
    name = argument.wire_name
    match argument.source:
        case "request":
            return lambda request: request
        case "header":
            return _decoded(argument, lambda request: request.headers.get_all(name))
        case "path":
            return _decoded(argument, lambda request: [request.params[name]])
    return None


def _decoded(argument: Argument, values: Callable[[Request], list[str]]) -> _Read:
    decode = TextCodec.of(argument.type).decode
    where = f"{argument.source}/{argument.wire_name}"

    def read(request: Request) -> Any:
        found = values(request)
        return decode(found, where) if found else _missing(argument, where)

    return read


def _missing(argument: Argument, where: str) -> Any:
    if argument.required:
        raise Invalid(errors=[Fault(where, "is missing")])
    return argument.default


def _spread(arguments: list[Argument]) -> Fill | None:
    """Query parameters and cookies: parsed once for all who want some."""
    if not arguments:
        return None
    plan = [
        (a, TextCodec.of(a.type).decode, f"{a.source}/{a.wire_name}", a.source == "query")
        for a in arguments
    ]
    cookies_wanted = any(a.source == "cookie" for a in arguments)

    def spread(request: Request, filled: dict[str, Any]) -> list[Fault]:
        faults: list[Fault] = []
        query = parse_query(request.query) if request.query else {}
        cookies: dict[str, list[str]] = {}
        if cookies_wanted:
            sent = parse_cookies(request.headers.get_all("cookie"))
            cookies = {name: [value] for name, value in sent.items()}
        for argument, decode, where, in_query in plan:
            found = (query if in_query else cookies).get(argument.wire_name)
            try:
                filled[argument.name] = decode(found, where) if found else _missing(argument, where)
            except Invalid as error:
                faults += error.errors
        return faults

    return spread


def parse_query(query: str) -> dict[str, list[str]]:
    """A query string as values by name, repeats kept in order.

    Raises:
        BadRequest: its escapes are not UTF-8.
    """
    values: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise BadRequest(detail="The query string is not UTF-8.") from None
    except ValueError as error:
        raise BadRequest(detail=f"The query string cannot be read: {error}.") from None
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values
