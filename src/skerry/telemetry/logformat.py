"""One record of a log as one line: JSON for programs, and text for people.

Whatever was logged, a line comes out: what cannot be encoded is shown as well as it can be, what
is too long is cut, and what must not be seen is hidden by the rules that spans have. Names of
fields are those of OpenTelemetry's specification, "Trace Context in non-OTLP Log Formats", and for
the rest those that most libraries use.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Mapping
from datetime import date
from datetime import time as time_of_day
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any
from uuid import UUID

import msgspec

from .redaction import HIDDEN, is_secret, shown, without_secrets

LONGEST_LINE = 60_000
"""Bytes of a line of JSON, its end excluded: the fleet cuts lines at 64 KiB."""

_LONGEST_TEXT = 16_000  # characters of a message
_LONGEST_STACK = 24_000
_LONGEST_FIELD = 4_000
_DEEP, _MANY = 4, 100

_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {
    *("asctime", "message", "taskName", "trace_id", "span_id", "trace_flags"),
    "color_message",  # uvicorn: the message once more, in colours
    *("otelTraceID", "otelSpanID", "otelTraceSampled", "otelServiceName"),
}
_OURS = {
    *("time", "level", "logger", "message", "exception", "stack"),
    *("trace_id", "span_id", "trace_flags"),
}
_encode = msgspec.json.Encoder().encode
_secret = lru_cache(4096)(is_secret)


class JsonFormatter(logging.Formatter):
    """A record as a line of JSON: ``time`` (RFC 3339, UTC), ``level``, ``logger``, ``message``,
    ``trace_id``, ``span_id``, ``trace_flags``, ``app``, ``instance``, whatever ``extra=`` had,
    ``exception`` and ``stack``. What is empty is left out.

    Args:
        app, instance: who logs; empty where nobody needs to be told.

    Attributes:
        fixed: the fields that say it.
    """

    def __init__(self, app: str = "", instance: str = "") -> None:
        super().__init__()
        named = {"app": app, "instance": instance}
        self.fixed = {name: value for name, value in named.items() if value}

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": stamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message_of(record),
        }
        own = record.__dict__
        if own.get("trace_id"):
            for name in ("trace_id", "span_id", "trace_flags"):
                document[name] = own.get(name, "")
        return line(document, {**self.fixed, **extra_of(record)}, *told(record))


class TextFormatter(logging.Formatter):
    """A record as text: when, how bad, who, what, its fields, and of its trace as much as people
    need to tell one from another.

    Args:
        colour: for a terminal, where the date can be left out too.
    """

    def __init__(self, colour: bool = False) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        message = message_of(record)
        said = [message, *(f"{k}={shown_field(k, v)}" for k, v in extra_of(record).items())]
        trace = str(record.__dict__.get("trace_id") or "")[:8]
        when, level, who = stamp(record.created), f"{record.levelname:<7}", f"{record.name}:"
        if self._colour:
            when = f"\x1b[2m{when[11:23]}\x1b[0m"
            level = f"\x1b[{colour_of(record.levelno)}m{level}\x1b[0m"
            who = f"\x1b[2m{who}\x1b[0m"
        if trace:
            said.append(f"\x1b[2m[{trace}]\x1b[0m" if self._colour else f"[{trace}]")
        return "\n".join([" ".join([when, level, who, *said]), *filter(None, told(record))])


def colour_of(level: int) -> int:
    """What a terminal shows a level in (ECMA-48)."""
    if level >= logging.ERROR:
        return 31
    return 33 if level >= logging.WARNING else 36 if level >= logging.INFO else 2


def line(document: dict[str, Any], fields: Mapping[str, Any], error: str, stack: str) -> str:
    """One line of JSON, of ``LONGEST_LINE`` bytes at most.

    Args:
        document: what is said by our own names; it is changed.
        fields: the rest, as it was logged. One whose name is ours is called ``extra.NAME``.
        error, stack: of an exception, and of whoever logs; empty for none.
    """
    for name, value in fields.items():
        key = f"extra.{name}" if name in _OURS else str(name)
        document[key] = plain(name, value)
    if error:
        document["exception"] = error
    if stack:
        document["stack"] = stack
    text = encoded(document)
    return text if len(text) <= LONGEST_LINE // 4 else _bounded(document, text)


def _bounded(document: dict[str, Any], text: str) -> str:
    for limit in (8_000, 1_000):
        if len(text.encode("utf-8", "backslashreplace")) <= LONGEST_LINE:
            break
        kept = {
            k: _clipped(k, v, limit)
            for k, v in document.items()
            if k in _OURS or k in ("app", "instance")
        }
        text = encoded({**kept, "cut": "what was logged did not fit into a line"})
    return text


def _clipped(name: str, value: Any, limit: int) -> Any:
    if not isinstance(value, str) or len(value) <= limit:
        return value
    return f"…{value[-limit:]}" if name in ("exception", "stack") else f"{value[:limit]}…"


def encoded(document: dict[str, Any]) -> str:
    """As JSON, whatever is in it."""
    try:
        return _encode(document).decode()
    except Exception:  # text that is no Unicode, numbers that are none of JSON's
        return json.dumps(_safe(document), default=str)


def _safe(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {_safe(k): _safe(v) for k, v in value.items()}
    return [_safe(one) for one in value] if isinstance(value, list) else value


def message_of(record: logging.LogRecord) -> str:
    """What a record says. Arguments that do not fit are shown beside it: they were meant to be."""
    try:
        message = record.getMessage()
    except Exception as error:
        message = f"{record.msg!s} {shown('args', record.args)} ({type(error).__name__}: {error})"
    return cleaned(message)


def cleaned(text: str, most: int = _LONGEST_TEXT) -> str:
    """Without what its form shows to be secret, and not too long."""
    told = without_secrets(text[: 2 * most])  # a secret that is cut in half would not be seen
    return told if len(told) <= most and len(text) <= 2 * most else f"{told[:most]}…"


def extra_of(record: logging.LogRecord) -> dict[str, Any]:
    """What ``extra=`` had."""
    return {k: v for k, v in record.__dict__.items() if k not in _STANDARD}


def told(record: logging.LogRecord) -> tuple[str, str]:
    """The stacks of a record's exception, and of whoever logged it; empty for none."""
    error = record.exc_info[1] if record.exc_info else None
    text = record.exc_text or ("" if error is None else stack_of(error))
    return shortened(text), shortened(record.stack_info or "")


def stack_of(error: BaseException) -> str:
    """The traceback of an exception, whatever its ``__str__`` does."""
    try:
        return "".join(traceback.format_exception(error)).rstrip("\n")
    except Exception as fault:
        return f"{type(error).__name__} (its traceback raised {type(fault).__name__})"


def shortened(text: str) -> str:
    """A stack's end, which says most."""
    text = text if len(text) <= _LONGEST_STACK else f"…{text[-_LONGEST_STACK:]}"
    return cleaned(text, len(text)) if text else ""


def plain(name: str, value: Any, deep: int = _DEEP) -> Any:
    """A value as JSON has it, hidden where its name, or one in it, says so."""
    if value is None or isinstance(value, (bool, float)):
        return HIDDEN if value is not None and _secret(str(name)) else value
    if _secret(str(name)):
        return HIDDEN
    if isinstance(value, str):
        return cleaned(value, _LONGEST_FIELD)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, (date, time_of_day, Decimal, UUID)):
        return str(value)
    if deep and isinstance(value, Mapping):
        some = list(value.items())[:_MANY]
        return {str(key): plain(str(key), one, deep - 1) for key, one in some}
    if deep and isinstance(value, (list, tuple, set, frozenset)):
        return [plain("", one, deep - 1) for one in list(value)[:_MANY]]
    return shown(name, value)


def shown_field(name: str, value: Any) -> str:
    """A field's value in text: quoted where it would not be clear where it ends."""
    value = plain(name, value)
    if isinstance(value, str) and value and not any(c in value for c in ' "=\n\t'):
        return value
    return encoded(value)


_second: tuple[int, str] = (-1, "")


def stamp(wall: float) -> str:
    """UTC with microseconds, in the form of RFC 3339."""
    global _second
    whole, micros = divmod(int(wall * 1_000_000), 1_000_000)
    known = _second
    if known[0] != whole:  # one assignment: threads may do it twice, and never see half of it
        known = _second = whole, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return f"{known[1]}.{micros:06d}Z"
