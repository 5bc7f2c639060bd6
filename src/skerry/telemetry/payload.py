"""Bodies and header fields as spans may tell of them: only on request, and never what is secret.

Names decide, as everywhere (``redaction``): of header fields, of fields of JSON at any depth, of
form fields, of parameters of a query. What cannot be looked into, because it is no text, is no
JSON although it says so, or is too long to be read, is told by its size alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

import msgspec

from .redaction import HIDDEN, is_secret, redacted, without_secrets

When = Literal["off", "errors", "all"]

_READABLE = 256 * 1024  # bytes of a body that is looked into
_LENGTH = 4096  # characters that are told of it
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class PayloadSettings:
    """Attributes:
    when: ``errors``: of what failed; ``all``; ``off``.
    length: characters of a body; the rest is cut off.
    """

    when: When = "off"
    length: int = _LENGTH

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> PayloadSettings:
        """As ``SKERRY_PAYLOADS`` (``errors``, ``all``) and ``SKERRY_PAYLOADS_LENGTH`` say."""
        said = environment.get("SKERRY_PAYLOADS", "").lower()
        when: When = "all" if said == "all" else "errors" if said == "errors" else "off"
        length = environment.get("SKERRY_PAYLOADS_LENGTH", "")
        return cls(when, int(length) if length.isdecimal() else _LENGTH)


def told(headers: Iterable[tuple[bytes, bytes]], body: bytes | None, length: int) -> dict[str, str]:
    """Attributes of an event.

    Args:
        body: None for one that came in pieces.
        length: characters of it that are told.
    """
    found: dict[str, str] = {}
    media_type = ""
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name == "content-type":
            media_type = value.partition(";")[0].strip().lower()
        said = HIDDEN if is_secret(name) else without_secrets(value)
        before = found.get(f"header.{name}")
        found[f"header.{name}"] = said if before is None else f"{before}, {said}"
    if body is None:
        found["body"] = "[in pieces]"
    elif body:
        found["body"] = _body(body, media_type, length)
    return found


def query(text: str) -> str:
    """The query of a URL, or a form, without what is secret."""
    pairs = parse_qsl(text, keep_blank_values=True)
    kept = [(k, HIDDEN if is_secret(k) else without_secrets(v)) for k, v in pairs]
    return text if kept == pairs else urlencode(kept, safe="[]")


def _body(body: bytes, media_type: str, length: int) -> str:
    text = _text(body, media_type) if len(body) <= _READABLE else None
    if text is None:
        return f"[{len(body)} bytes{f' of {media_type}' if media_type else ''}]"
    return text if len(text) <= length else f"{text[: max(0, length - 1)]}…"


def _text(body: bytes, media_type: str) -> str | None:
    """As it may be told; None if nothing but its size may."""
    try:
        if media_type == "application/json" or media_type.endswith("+json"):
            return _json(body)
        if media_type == "application/x-ndjson":
            return "\n".join(_json(line) for line in body.splitlines() if line.strip())
        if media_type == "application/x-www-form-urlencoded":
            return query(body.decode("ascii"))
        if media_type == "text/plain":
            return without_secrets(body.decode())
    except (ValueError, RecursionError):
        pass
    return None


def _json(body: bytes) -> str:
    value: Any = msgspec.json.decode(body)
    return _encode(redacted(value)).decode()
