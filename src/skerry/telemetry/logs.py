"""Logs that know their trace, for Skerry's apps and for any other.

Three parts that work alone: ids on every record (``%(trace_id)s`` in anybody's format), a
formatter for JSON, and somewhere for records to go where nobody has said where. The ids are those
of Skerry's current span, or of OpenTelemetry's. ::

    from skerry.telemetry import logs
    logs.configure()                              # everything, as JSON or as text

    structlog.configure(processors=[logs.add_trace, ..., logs.render_json])
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Literal, TextIO

from .logevents import add_trace, render_json, renderer
from .logformat import JsonFormatter, TextFormatter
from .logrecords import TracedRecord, TraceFilter, mark_records

__all__ = [
    "JsonFormatter",
    "TextFormatter",
    "TraceFilter",
    "TracedRecord",
    "add_trace",
    "as_last_resort",
    "configure",
    "join_libraries",
    "mark_records",
    "render_json",
]

FORMAT = "SKERRY_LOG_FORMAT"
"""``json`` or ``text``; by default text."""
LEVEL = "SKERRY_LOG_LEVEL"
"""The least that is logged where nobody has set a level: ``info`` by default."""

_FLASKS = "[%(asctime)s] %(levelname)s in %(module)s: %(message)s"


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to standard error as it is when something is logged, in one piece."""

    def __init__(self, stream: TextIO | None) -> None:
        logging.Handler.__init__(self)
        self.own = stream

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return self.own or sys.stderr

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record) + "\n"
            stream = self.stream
            try:
                stream.write(text)
            except UnicodeError:
                coding = getattr(stream, "encoding", None) or "ascii"
                stream.write(text.encode(coding, "backslashreplace").decode(coding))
            stream.flush()
        except Exception:
            self.handleError(record)


def handler(
    format: Literal["json", "text", ""] = "", stream: TextIO | None = None
) -> logging.Handler:
    """What writes records as we do.

    Args:
        format: by default what ``SKERRY_LOG_FORMAT`` says.
        stream: by default standard error.
    """
    made = _Stderr(stream)
    if (format or os.environ.get(FORMAT, "")).lower() == "json":
        app = os.environ.get("SKERRY_APP") or os.environ.get("OTEL_SERVICE_NAME", "")
        made.setFormatter(JsonFormatter(app, os.environ.get("SKERRY_INSTANCE", "")))
    else:
        terminal = made.stream.isatty()
        made.setFormatter(TextFormatter(terminal and not os.environ.get("NO_COLOR")))
    made.addFilter(TraceFilter())
    return made


def configure(
    format: Literal["json", "text", ""] = "", level: str = "", stream: TextIO | None = None
) -> None:
    """Write everything that is logged: the root logger gets our handler, for those it had.

    Args:
        format: by default what ``SKERRY_LOG_FORMAT`` says: ``json``, or text.
        level: the least that is logged; by default what ``SKERRY_LOG_LEVEL`` says, or ``info``.
        stream: by default standard error.

    Raises:
        ValueError: there is no such level.
    """
    mark_records()
    logging.basicConfig(level=_level(level), handlers=[handler(format, stream)], force=True)
    join_libraries()


def as_last_resort() -> None:
    """Write what nobody else writes.

    Who configures handlers, before or after, has them and nothing besides: ``logging`` turns to
    its last resort only for records that no handler was there for.
    """
    mark_records()
    logging.lastResort = handler()
    root = logging.getLogger()
    if not root.handlers and root.level == logging.WARNING:
        try:
            root.setLevel(_level(""))
        except ValueError as error:
            logging.getLogger("skerry.telemetry").warning("%s: %s", LEVEL, error)
    servers = logging.getLogger("uvicorn")
    if servers.level == logging.NOTSET:
        servers.setLevel(logging.WARNING)  # that it starts is what the fleet says itself


def _level(level: str) -> int:
    name = (level or os.environ.get(LEVEL) or "info").upper()
    found = logging.getLevelNamesMapping().get(name)
    if found is None:
        raise ValueError(f"{name.lower()!r} is no level; debug, info, warning and error are")
    return found


def join_libraries() -> None:
    """Let those that print by themselves where nobody has configured them print as we do: called
    once an app is loaded. Flask and structlog are looked up, never imported."""
    ours = _ours()
    flask = getattr(sys.modules.get("flask.logging"), "default_handler", None)
    if ours is not None and isinstance(flask, logging.Handler):
        said = getattr(flask.formatter, "_fmt", None)
        if said == _FLASKS:
            flask.setFormatter(ours.formatter)
    structlog = sys.modules.get("structlog")
    if ours is None or structlog is None or structlog.is_configured():
        return
    merge = structlog.contextvars.merge_contextvars
    least = logging.getLogger().level or logging.INFO
    structlog.configure(
        processors=[merge, structlog.stdlib.add_log_level, add_trace, renderer(ours.formatter)],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _ours() -> _Stderr | None:
    """The handler of ours that is in use."""
    for one in (*logging.getLogger().handlers, logging.lastResort):
        if isinstance(one, _Stderr):
            return one
    return None
