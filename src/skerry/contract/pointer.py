"""Where something is in a JSON document: RFC 6901 pointers, as URI fragments."""

from __future__ import annotations

from urllib.parse import quote

_SAFE = "!$&'()*+,;=:@?-._~"  # what a fragment may hold unescaped (RFC 3986, 3.5), without "/"


def join(pointer: str, step: str | int) -> str:
    """``#/items`` and ``0`` make ``#/items/0``."""
    if isinstance(step, int):
        return f"{pointer}/{step}"
    return f"{pointer}/{quote(step.replace('~', '~0').replace('/', '~1'), safe=_SAFE)}"
