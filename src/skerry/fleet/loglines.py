"""What a printed line says: lines of JSON are understood, whoever has written them.

Libraries agree that a record is an object on a line, and on little else. So each thing is looked
for by the names it has in the field: Python's structlog and python-json-logger, OpenTelemetry,
Elastic's ECS, Datadog, Go's slog, zap and zerolog, Java's logback, Node's pino and bunyan, Rust's
tracing, .NET's compact format. Anything else is a line of text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct, structs

from .logtext import readable

LEVELS = ("debug", "info", "warning", "error", "critical")
"""From the least to the worst."""

_MESSAGE = ("message", "msg", "event", "@m", "@message", "fields.message", "body", "Message")
_LEVEL = ("level", "severity", "levelname", "log.level", "lvl", "severity_text", "@l", "Level")
_LOGGER = ("logger", "logger_name", "log.logger", "loggerName", "target", "category", "name")
_TIME = ("time", "timestamp", "@timestamp", "ts", "@t", "asctime", "datetime", "Timestamp")
_TRACE = (
    *("trace_id", "traceId", "traceID", "trace.id", "otelTraceID", "traceid", "TraceId", "@tr"),
    *("logging.googleapis.com/trace", "trace"),
)
_SPAN = (
    *("span_id", "spanId", "spanID", "span.id", "otelSpanID", "spanid", "SpanId", "@sp"),
    "logging.googleapis.com/spanId",
)
_NOISE = ("trace_flags", "otelTraceSampled", "otelServiceName")

_SAID = (
    "trace verbose debug",
    "info information notice",
    "warning warn",
    "error err exception",
    "critical fatal panic dpanic alert emergency",
)
_WORDS = {word: number for number, words in enumerate(_SAID) for word in words.split()}
_SHOUTED = re.compile(r"\b(DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b")
_ID = re.compile(r"(?!0+$)(?:[0-9a-f]{32}|[0-9a-f]{16})$")
_HEAD = 80  # characters of a line of text in which its level stands
_AGE = 60.0  # seconds that a line may be older than its reading, to be believed

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Line(Struct, frozen=True, omit_defaults=True):
    """One line that an instance printed.

    Attributes:
        time: UTC, ``2025-01-01T00:00:00.000Z``: when it was read; where the line says it itself,
            when it was logged, with microseconds.
        source: the process that printed it, ``quotes-1``.
        text: without its end of line, bytes that are not UTF-8 escaped; of a line of JSON, its
            message.
        level: one of ``LEVELS``; this and what follows is of lines of JSON alone.
        logger: who said it.
        trace: 32 hex digits, or 16 of those who have no more.
        span: 16 hex digits.
        fields: whatever else it says; ``exception`` has a stack.
    """

    time: str
    source: str
    text: str
    level: str = ""
    logger: str = ""
    trace: str = ""
    span: str = ""
    fields: dict[str, Any] = {}


def understood(line: Line) -> Line:
    """A line as it was printed, with what it says taken out of it where it is JSON."""
    text = line.text
    if not text.startswith("{") or not text.rstrip().endswith("}"):
        return line
    try:
        document = _decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return line
    message = _take(document, _MESSAGE, lambda found: found if isinstance(found, str) else None)
    if message is None:
        return line
    for name in _NOISE:
        document.pop(name, None)
    _drop(document, ("app", "instance"), line.source)
    return Line(
        _take(document, _TIME, lambda found: _time(found, line.time)) or line.time,
        line.source,
        message,
        level=_take(document, _LEVEL, _level) or "",
        trace=_take(document, _TRACE, _id) or _take(document, ("dd.trace_id",), _decimal) or "",
        span=_take(document, _SPAN, _id) or _take(document, ("dd.span_id",), _decimal) or "",
        logger=_take(document, _LOGGER, lambda f: f if isinstance(f, str) else None) or "",
        fields=document,
    )


def words(text: str) -> str:
    """What was printed, as people read it."""
    return readable(structs.asdict(understood(Line("", "", text))))


def _take(
    document: dict[str, Any], names: Iterable[str], read: Callable[[Any], str | None]
) -> str | None:
    """Take the first of these out that can be read; dotted ones may be one inside the other."""
    for name in names:
        holder: Any = document
        key = name
        if name not in document and "." in name:
            outer, _, key = name.partition(".")
            holder = document.get(outer, {})
        if isinstance(holder, dict) and key in holder and (found := read(holder[key])) is not None:
            del holder[key]
            if not holder and holder is not document:
                del document[name.partition(".")[0]]
            return found
    return None


def _drop(document: dict[str, Any], names: Iterable[str], source: str) -> None:
    """Leave out what the source says already."""
    for name in names:
        value = document.get(name)
        if value == source or (isinstance(value, str) and source.startswith(f"{value}-")):
            del document[name]


def _level(found: Any) -> str | None:
    if isinstance(found, str):
        number = _WORDS.get(found.strip().lower())
        return None if number is None else LEVELS[number]
    if isinstance(found, (int, float)) and not isinstance(found, bool):
        return _numbered(found)
    return None


def _numbered(found: float) -> str:
    """pino's and bunyan's, which rise from 10 to 60, or syslog's, which fall from 7 to 0."""
    if found < 10:
        return LEVELS[min(4, max(0, 6 - int(found)))] if found < 5 else LEVELS[found < 7]
    return LEVELS[max(0, int(min(found, 60)) // 10 - 2)]


def _id(found: Any) -> str | None:
    """Hex digits as traces have them; Google's names end with them, some write them as UUIDs."""
    if not isinstance(found, str):
        return None
    text = found.rpartition("/")[2].replace("-", "").lower()
    return text if _ID.match(text) else None


def _decimal(found: Any) -> str | None:
    """Datadog's: the lower 64 bits as a decimal number, or hex like everybody's."""
    text = str(found)
    if text.isascii() and text.isdigit() and 0 < len(text) <= 20:
        number = int(text)
        return f"{number:016x}" if 0 < number < 1 << 64 else None
    return _id(found)


def _time(found: Any, read: str) -> str | None:
    """When it was logged, as far as that can be: a clock without a zone says nothing."""
    try:
        if isinstance(found, str):
            logged = datetime.fromisoformat(found)
        elif isinstance(found, (int, float)) and not isinstance(found, bool):
            while found > 1e11:  # milli-, micro- or nanoseconds
                found /= 1000
            logged = datetime.fromtimestamp(found, UTC)
        else:
            return None
        if logged.tzinfo is None:
            return None
        late = (datetime.fromisoformat(read) - logged).total_seconds()
    except (ValueError, OverflowError, OSError):
        return None
    if not -1.0 < late < _AGE:
        return None
    return logged.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def level_of(line: Line) -> str:
    """How bad a line is: what it says itself, or the level that is shouted near its beginning, as
    in ``2025-01-01 10:00:00 ERROR cannot pay``; empty where nobody can know."""
    if line.level or line.text.startswith("{"):
        return line.level
    found = _SHOUTED.search(line.text, 0, _HEAD)
    return LEVELS[_WORDS[found[1].lower()]] if found else ""


class Wanted(Struct, frozen=True):
    """Which lines somebody wants to see; of all that is said here, together.

    Attributes:
        trace: hex digits: lines that were logged in it, and lines of text that have them.
        level: one of ``LEVELS``: lines that are that bad, or worse.
        grep: what is in the text, the logger's name or a field, in capitals or not.
    """

    trace: str = ""
    level: str = ""
    grep: str = ""

    @property
    def everything(self) -> bool:
        return not (self.trace or self.level or self.grep)

    def fits(self, line: Line) -> bool:
        """Whether a line, which has been ``understood``, is one of them."""
        if self.trace and not self._in_trace(line):
            return False
        if self.level:
            level = level_of(line)
            if not level or LEVELS.index(level) < LEVELS.index(self.level):
                return False
        return not self.grep or self._has(line, self.grep.lower())

    def _in_trace(self, line: Line) -> bool:
        if line.trace:  # some have but its lower half
            return line.trace[-16:] == self.trace[-16:].rjust(16, "0")
        return self.trace in line.text.lower()

    def _has(self, line: Line, text: str) -> bool:
        if text in line.text.lower() or text in line.logger.lower():
            return True
        return any(text in f"{name}={value}".lower() for name, value in line.fields.items())

    def needles(self) -> list[bytes]:
        """What is in every line of the trace as it was printed, one or the other of it."""
        if not self.trace:
            return []
        low = self.trace[-16:]
        return [low.encode(), low.upper().encode(), str(int(low, 16)).encode()]
