"""The Cookie header, read as servers have to: what is malformed costs itself and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ESCAPED = re.compile(r"\\(?:([0-3][0-7]{2})|(.))", re.DOTALL)


def parse_cookies(fields: Iterable[str]) -> dict[str, str]:
    """Cookies by name, from the values of every ``Cookie`` field; the first of a name counts.

    Browsers put the most specific path first (RFC 6265, 5.4). A pair without a name is left out.
    Quotes around a value, and the escapes that ``http.cookies`` writes within them, are undone.
    """
    found: dict[str, str] = {}
    for field in fields:
        for pair in field.split(";"):
            name, equals, value = pair.partition("=")
            name, value = name.strip(" \t"), value.strip(" \t")
            if equals and name:
                found.setdefault(name, _unquoted(value))
    return found


def _unquoted(value: str) -> str:
    if len(value) < 2 or not value[0] == value[-1] == '"':
        return value
    return _ESCAPED.sub(lambda found: found[2] or chr(int(found[1], 8)), value[1:-1])
