"""Addresses in environment variables: ``{quotes.url}``, ``{database.password}``.

The fleet hands every app ``<NAME>_URL`` for what it needs. An app that already reads another
variable, or wants host and port apart, maps its own names to the parts in ``env``. Braces are
a template when they speak of a known name or a known part; everything else is left alone, so
JSON and log formats need no escaping. ``{{quotes.url}}`` is a literal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from skerry.core.errors import ConfigError

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_TEMPLATE = re.compile(rf"\{{(\{{)?({_LABEL})\.([a-z]+)\}}(?(1)\}})")

_DEFAULT_PORTS: Mapping[str, int] = {
    "http": 80,
    "https": 443,
    "postgresql": 5432,
    "redis": 6379,
    "amqp": 5672,
}
_PARTS: Mapping[str, Callable[[SplitResult], str]] = {
    "url": lambda url: url.geturl(),
    "host": lambda url: url.hostname or "",
    "port": lambda url: str(url.port or _DEFAULT_PORTS.get(url.scheme) or ""),
    "user": lambda url: unquote(url.username or ""),
    "password": lambda url: unquote(url.password or ""),
    "database": lambda url: unquote(url.path.removeprefix("/")),
}
PARTS = tuple(_PARTS)


def mentions(text: str, names: Container[str]) -> list[tuple[str, str]]:
    """The ``(name, part)`` of every template in ``text``; one of the two may be unknown.

    Args:
        names: apps and backings that exist.
    """
    return [
        (found[2], found[3])
        for found in _TEMPLATE.finditer(text)
        if not found[1] and (found[2] in names or found[3] in _PARTS)
    ]


def substitute(text: str, addresses: Mapping[str, str]) -> str:
    """``text`` with every template replaced.

    Args:
        addresses: the URL of each app and backing that may be mentioned.

    Raises:
        ConfigError: a template mentions something that has no address, or a part that does not
            exist.
    """

    def value(found: re.Match[str]) -> str:
        if found[1]:
            return found[0][1:-1]
        url, part = addresses.get(found[2]), _PARTS.get(found[3])
        if url is None and part is None:
            return found[0]
        if url is None:
            raise ConfigError(f"{found[0]}: {found[2]} has no address")
        if part is None:
            raise ConfigError(f"{found[0]}: no such part (there are {', '.join(PARTS)})")
        return part(urlsplit(url))

    return _TEMPLATE.sub(value, text)


def url_variable(name: str) -> str:
    """The variable that carries the address of an app or a backing: ``QUOTES_URL``."""
    return name.upper().replace("-", "_") + "_URL"


def escape(text: str, names: Container[str]) -> str:
    """``text`` such that ``substitute`` gives it back: its own braces are doubled."""

    def doubled(found: re.Match[str]) -> str:
        means = found[1] or found[2] in names or found[3] in _PARTS
        return "{" + found[0] + "}" if means else found[0]

    return _TEMPLATE.sub(doubled, text)
