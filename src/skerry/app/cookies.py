"""The Cookie header, read as servers have to: what is malformed costs itself and nothing else."""

from __future__ import annotations

from collections.abc import Iterable


def parse_cookies(fields: Iterable[str]) -> dict[str, str]:
    """Cookies by name, from the values of every ``Cookie`` field; the first of a name counts.

    Browsers put the most specific path first (RFC 6265, 5.4). A pair without a name is left out.
    """
    found: dict[str, str] = {}
    for field in fields:
        for pair in field.split(";"):
            name, equals, value = pair.partition("=")
            name, value = name.strip(" \t"), value.strip(" \t")
            if len(value) >= 2 and value[0] == value[-1] == '"':
                value = value[1:-1]
            if equals and name:
                found.setdefault(name, value)
    return found
