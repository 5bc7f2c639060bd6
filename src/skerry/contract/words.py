"""How faults are worded: "expected an integer > 0, got -1"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import json

from . import rules, shape
from .shape import Shape

_LONGEST = 40
_NOUNS = {
    "null": "null",
    "bool": "true or false",
    "int": "an integer",
    "float": "a number",
    "decimal": "a decimal number",
    "str": "a string",
    "bytes": "base64 text",
    "datetime": "a date-time such as 2026-01-31T12:00:00Z",
    "date": "a date such as 2026-01-31",
    "time": "a time such as 12:00:00",
    "timedelta": "a duration such as P1DT2H",
    "uuid": "a UUID",
}


def expected(at: Shape) -> str:
    """What a shape is, for a person: ``an integer > 0 and <= 10``."""
    match at:
        case shape.Limited():
            told = [rules.tell(rule, at.kind) for rule in at.rules]
            noun = expected(at.shape)
            if told and " such as " in noun:
                noun = noun.partition(" such as ")[0]
            return f"{noun} {' and '.join(told)}" if told else noun
        case shape.Scalar():
            return _NOUNS[at.name]
        case shape.Choice():
            return a_list(at.values)
        case shape.Array():
            return "an array"
        case shape.Row():
            return f"an array of {len(at.items)} item{'' if len(at.items) == 1 else 's'}"
        case shape.Record() if at.positional:
            return "an array"
        case shape.Union():
            return " or ".join(dict.fromkeys(expected(arm) for arm in at.arms))
        case shape.Anything():
            return "a value"
    return "an object"


def a_list(values: Iterable[Any]) -> str:
    """``"a"``, or ``one of "a", "b"``; long lists are cut."""
    texts = [json.encode(value).decode() for value in values]
    if len(texts) == 1:
        return texts[0]
    rest = f" and {len(texts) - 20} more" if len(texts) > 20 else ""
    return f"one of {', '.join(texts[:20])}{rest}"


def shown(text: bytes) -> str:
    """A JSON value as it was given, cut to what a line holds."""
    if text[:1] == b"{":
        return "an object"
    if text[:1] == b"[":
        return "an array"
    whole = text.decode("utf-8", "replace")
    return whole if len(whole) <= _LONGEST else f"{whole[: _LONGEST - 1]}…"
