"""Ids of traces and spans, by Zipkin's rules and in its words."""

from __future__ import annotations

import re

_HEX = re.compile("[0-9a-f]+").fullmatch

is_plain = re.compile("[0-9a-f]*[1-9a-f][0-9a-f]*").fullmatch
"""Whether a text is lower-case hex, and not all zeros."""


class Malformed(ValueError):
    """What was sent is not spans, or not a query; says what is wrong with it."""


def trace_id(text: str) -> str:
    """``text`` as 16 or 32 digits: padded on the left, and without 64 leading zero bits.

    Raises:
        Malformed: it is not an id.
    """
    if not text:
        raise Malformed("traceId is empty")
    if len(text) > 32:
        raise Malformed("traceId.length > 32")
    _check(text)
    padded = text.zfill(32)
    if padded[:16] != "0" * 16:
        return padded
    if padded[16:] == "0" * 16:
        raise Malformed("traceId is all zeros")
    return padded[16:]


def span_id(text: str) -> str:
    """``text`` as 16 digits.

    Raises:
        Malformed: it is not an id.
    """
    if not text:
        raise Malformed("id is empty")
    if len(text) > 16:
        raise Malformed("id.length > 16")
    _check(text)
    padded = text.zfill(16)
    if padded == "0" * 16:
        raise Malformed("id is all zeros")
    return padded


def parent_id(text: str) -> str | None:
    """``text`` as 16 digits; None where it is all zeros.

    Raises:
        Malformed: it is not an id.
    """
    if not text:
        raise Malformed("parentId is empty")
    if len(text) > 16:
        raise Malformed("parentId.length > 16")
    _check(text)
    padded = text.zfill(16)
    return None if padded == "0" * 16 else padded


def _check(text: str) -> None:
    if not _HEX(text):
        raise Malformed(f"{text} should be lower-hex encoded with no prefix")
