"""structlog's events, as records are: with their trace, and as the same lines. The library is
never imported; its processors are plain functions."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from .logformat import JsonFormatter, TextFormatter, cleaned, line, shortened, stack_of, stamp
from .logrecords import current_ids, mark

Event = MutableMapping[str, Any]


def add_trace(logger: Any, method: str, event: Event) -> Event:
    """A processor for structlog: ``trace_id``, ``span_id`` and ``trace_flags``, inside of
    traces, where the event has none of its own."""
    ids = current_ids()
    if ids is not None:
        mark(event, ids)
    return event


def render_json(logger: Any, method: str, event: Event) -> str:
    """A last processor for structlog: the line that ``JsonFormatter`` would make of it."""
    return _rendered(event, method, {})


def renderer(formatter: logging.Formatter | None) -> Callable[[Any, str, Event], str]:
    """What structlog ends with so that its events look like records."""
    if isinstance(formatter, JsonFormatter):
        fixed = formatter.fixed
        return lambda logger, method, event: _rendered(event, method, fixed)

    def render(logger: Any, method: str, event: Event) -> str:
        level = logging.getLevelName(str(event.pop("level", method)).upper())
        error = _error(event.pop("exc_info", None))
        record = logging.LogRecord(
            str(event.pop("logger", "structlog")),
            level if isinstance(level, int) else logging.INFO,
            *("", 0, str(event.pop("event", "")), None),
            None if error is None else (type(error), error, error.__traceback__),
        )
        record.__dict__.update(event)
        return (formatter or TextFormatter()).format(record)

    return render


def _rendered(event: Event, method: str, fixed: Mapping[str, Any]) -> str:
    event.pop("timestamp", None)
    document = {
        "time": stamp(time.time()),
        "level": str(event.pop("level", method)).lower(),
        "logger": str(event.pop("logger", "")),
        "message": cleaned(str(event.pop("event", ""))),
    }
    for name in ("trace_id", "span_id", "trace_flags"):
        if event.get(name):
            document[name] = str(event.pop(name))
    if not document["logger"]:
        del document["logger"]
    error = _error(event.pop("exc_info", None))
    told = str(event.pop("exception", "")) or ("" if error is None else stack_of(error))
    stack = str(event.pop("stack", ""))
    return line(document, {**fixed, **event}, shortened(told), shortened(stack))


def _error(found: Any) -> BaseException | None:
    """What ``exc_info`` means, in all the forms it may have."""
    if isinstance(found, BaseException):
        return found
    if isinstance(found, tuple):
        return found[1] if isinstance(found[1], BaseException) else None
    return sys.exc_info()[1] if found else None
