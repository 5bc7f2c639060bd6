"""JSON as text: whether it is JSON at all, and where not; and integers in another spelling."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import NoReturn

# A string, to be skipped, or a number with a point or an exponent.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE]([-+]?[0-9]+))?')
_LONGEST = 308  # digits: as many as a float can mean


def with_integers(body: bytes) -> bytes:
    """A JSON text with ``1.0`` and ``1e2`` written as ``1`` and ``100``.

    JSON has one kind of number, and to JSON Schema these are integers; msgspec goes by the
    spelling. The very same object when there is nothing to rewrite.
    """
    if not any(mark in body for mark in (b".", b"e", b"E")):
        return body
    written = _TOKEN.sub(_as_integer, body)
    return body if written == body else written


def _as_integer(match: re.Match[bytes]) -> bytes:
    text = match[0]
    exponent = (match[1] or b"").lstrip(b"+-0")
    if text[:1] == b'"' or text.lstrip(b"-").isdigit() or len(exponent) > 6:
        return text
    number = Decimal(text.decode())
    if number.adjusted() > _LONGEST or number != number.to_integral_value():
        return text
    return str(int(number)).encode()


def syntax_fault(body: bytes) -> str | None:
    """Why a body is not JSON, with the place; None if it is.

    The standard library's parser is used for this, because it tells line and column.
    """
    if not body.strip():
        return "it is empty"
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 at byte {error.start}"
    if text.startswith("\ufeff"):
        return "it starts with a byte order mark"
    try:
        json.loads(text, parse_constant=_no_constant, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        message = error.msg[:1].lower() + error.msg[1:]
        return f"{message} at line {error.lineno}, column {error.colno}"
    except ValueError as error:
        return str(error)
    except RecursionError:
        return "nested too deeply"
    return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number there")
