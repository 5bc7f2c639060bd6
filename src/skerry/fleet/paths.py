"""Paths of apps whose routes nobody knows."""

from __future__ import annotations

import re

_VARIABLE = re.compile(
    r"\d.*"  # a number, a date, an id that begins with a digit
    r"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # a UUID
    r"|(?=\D*\d)[0-9A-Za-z_-]{16,}"  # a token, an object's id
    r"|.*[@%=,;:+].*"  # what somebody has typed
    r"|.{41,}"
)


def route_of(path: str) -> str:
    """A path with its variable parts taken out: ``/orders/17`` is ``/orders/{id}``."""
    parts = path.split("/")
    return "/".join("{id}" if _VARIABLE.fullmatch(part) else part for part in parts)
