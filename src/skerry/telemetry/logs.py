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
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Literal, TextIO

from skerry.core.context import current_trace

from .logformat import JsonFormatter, TextFormatter, cleaned, line, stack_of, stamp

__all__ = [
    "JsonFormatter",
    "TextFormatter",
    "TraceFilter",
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
_LONGEST = 16_000

Ids = tuple[int, int, int]


def _ids() -> Ids | None:
    """Trace, span and flags of whatever is current."""
    try:
        trace = current_trace()
    except Exception:  # somebody else's span: whoever logs must not hear of it
        return None
    return None if trace is None else (trace.trace_id, trace.span_id, trace.flags)


def _mark(into: MutableMapping[str, Any], ids: Ids | None) -> None:
    if into.get("trace_id"):
        return  # who logs knows better
    if ids is None:
        into["trace_id"] = into["span_id"] = into["trace_flags"] = ""
    else:
        into["trace_id"], into["span_id"] = f"{ids[0]:032x}", f"{ids[1]:016x}"
        into["trace_flags"] = f"{ids[2]:02x}"


class TracedRecord(logging.LogRecord):
    """A record that knows where it was made.

    Its ids are attributes from when its message is first asked for, which every formatter does
    first. Before, ``extra={"trace_id": …}`` would be refused as an attempt to overwrite them.
    """

    __slots__ = ("_ids",)  # not in its dictionary, which other people's formatters print

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ids = _ids()

    def getMessage(self) -> str:
        if "span_id" not in self.__dict__:
            _mark(self.__dict__, self._ids)
        return super().getMessage()


class TraceFilter(logging.Filter):
    """Gives records ``trace_id``, ``span_id`` and ``trace_flags``, empty outside of traces: for
    handlers in a process whose records are not marked."""

    def filter(self, record: logging.LogRecord) -> bool:
        if "span_id" not in record.__dict__:
            ids = record._ids if isinstance(record, TracedRecord) else _ids()
            _mark(record.__dict__, ids)
        return True


def mark_records() -> None:
    """From now on every record of this process has ids; what others do to records stays."""
    before = logging.getLogRecordFactory()
    if before is logging.LogRecord:
        logging.setLogRecordFactory(TracedRecord)
    elif before is not TracedRecord and not getattr(before, "marks", False):
        logging.setLogRecordFactory(_Marking(before))


class _Marking:
    """A factory around somebody else's."""

    marks = True

    def __init__(self, inner: Callable[..., logging.LogRecord]) -> None:
        self._inner = inner

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._inner(*args, **kwargs)
        if type(record) is not logging.LogRecord:
            if not isinstance(record, TracedRecord):
                _mark(record.__dict__, _ids())
            return record
        traced = TracedRecord.__new__(TracedRecord)
        traced.__dict__ = record.__dict__
        traced._ids = _ids()
        return traced


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
        processors=[merge, structlog.stdlib.add_log_level, add_trace, _as(ours.formatter)],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _ours() -> _Stderr | None:
    """The handler of ours that is in use."""
    for one in (*logging.getLogger().handlers, logging.lastResort):
        if isinstance(one, _Stderr):
            return one
    return None


Event = MutableMapping[str, Any]


def add_trace(logger: Any, method: str, event: Event) -> Event:
    """A processor for structlog: ``trace_id``, ``span_id`` and ``trace_flags``, inside of
    traces, where the event has none of its own."""
    ids = _ids()
    if ids is not None:
        _mark(event, ids)
    return event


def render_json(logger: Any, method: str, event: Event) -> str:
    """A last processor for structlog: the line that ``JsonFormatter`` would make of it."""
    return _rendered(event, method, {})


def _as(formatter: logging.Formatter | None) -> Callable[[Any, str, Event], str]:
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
        "message": cleaned(str(event.pop("event", "")), _LONGEST),
    }
    for name in ("trace_id", "span_id", "trace_flags"):
        if event.get(name):
            document[name] = str(event.pop(name))
    if not document["logger"]:
        del document["logger"]
    error = _error(event.pop("exc_info", None))
    told = str(event.pop("exception", "")) or ("" if error is None else stack_of(error))
    stack = str(event.pop("stack", ""))
    return line(document, {**fixed, **event}, told, stack)


def _error(found: Any) -> BaseException | None:
    """What ``exc_info`` means, in all the forms it may have."""
    if isinstance(found, BaseException):
        return found
    if isinstance(found, tuple):
        return found[1] if isinstance(found[1], BaseException) else None
    return sys.exc_info()[1] if found else None
