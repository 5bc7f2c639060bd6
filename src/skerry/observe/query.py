"""What ``/api/v2/traces`` asks for, and whether a trace is that (Zipkin's ``QueryRequest``)."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from .ids import Malformed
from .model import Span, Trace, began

DAY_MS = 86_400_000


class Query(Struct, frozen=True):
    """Attributes:
    terms: an annotation, or a tag's name, with an empty value; or a tag's name with its own.
    min_duration, max_duration: microseconds.
    end_ts, lookback: milliseconds: traces that began in the ``lookback`` up to ``end_ts``.
    links_to: id of a trace that one of their spans links to.
    """

    end_ts: int
    lookback: int = DAY_MS
    limit: int = 10
    service: str | None = None
    remote_service: str | None = None
    span_name: str | None = None
    terms: Mapping[str, str] = {}
    min_duration: int | None = None
    max_duration: int | None = None
    links_to: str | None = None

    @property
    def begin_ts(self) -> int:
        return self.end_ts - self.lookback


def query(values: Mapping[str, str], now: int) -> Query:
    """A query from the parameters of a request.

    Args:
        now: milliseconds since 1970, for an ``endTs`` that is not given.

    Raises:
        Malformed: one of them is not right; in Zipkin's words.
    """
    found = Query(
        end_ts=_number(values, "endTs", now),
        lookback=_number(values, "lookback", DAY_MS),
        limit=_number(values, "limit", 10),
        service=_name(values, "serviceName"),
        remote_service=_name(values, "remoteServiceName"),
        span_name=_name(values, "spanName", ignored="all"),
        terms=terms(values.get("annotationQuery", "")),
        min_duration=_optional(values, "minDuration"),
        max_duration=_optional(values, "maxDuration"),
    )
    for name, value in (("endTs", found.end_ts), ("limit", found.limit)):
        if value <= 0:
            raise Malformed(f"{name} <= 0")
    if found.lookback <= 0:
        raise Malformed("lookback <= 0")
    if found.min_duration is not None:
        if found.min_duration <= 0:
            raise Malformed("minDuration <= 0")
        if found.max_duration is not None and found.max_duration < found.min_duration:
            raise Malformed("maxDuration < minDuration")
    elif found.max_duration is not None:
        raise Malformed("maxDuration is only valid with minDuration")
    return found


def number(values: Mapping[str, str], name: str, otherwise: int | None = None) -> int:
    """A whole number among the parameters.

    Raises:
        Malformed: it is none, or it is missing and there is no ``otherwise``.
    """
    if otherwise is None and name not in values:
        raise Malformed(f"{name} is required")
    return _number(values, name, otherwise or 0)


def _number(values: Mapping[str, str], name: str, otherwise: int) -> int:
    text = values.get(name)
    if text is None:
        return otherwise
    digits = text.removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise Malformed(f"{name}: {text[:64]!r} is not a whole number")
    return int(text)


def _optional(values: Mapping[str, str], name: str) -> int | None:
    return _number(values, name, 0) if name in values else None


def _name(values: Mapping[str, str], name: str, ignored: str = "") -> str | None:
    found = values.get(name, "").lower()
    return found if found not in ("", ignored) else None


def terms(text: str) -> dict[str, str]:
    """``error and http.method=GET`` as ``{"error": "", "http.method": "GET"}``."""
    found: dict[str, str] = {}
    if not text:
        return found
    for part in text.split(" and ", 99):
        key, equals, value = part.partition("=")
        if equals:
            found[key.strip()] = value.strip()
        else:
            found.setdefault(key.strip(), "")
    return found


def matches(trace: Trace, asked: Query) -> bool:
    """Whether ``trace`` is what was asked for; spans of ``asked.service`` alone count, if any."""
    start = began(trace)
    if not start or not asked.begin_ts * 1000 <= start <= asked.end_ts * 1000:
        return False
    left = _Left(asked)
    for span in trace:
        if asked.service is None or asked.service == span.service:
            left.strike(span)
    return left.nothing


class _Left:
    """What of a query has not been found yet."""

    def __init__(self, asked: Query) -> None:
        self._asked = asked
        self._service = asked.service is not None
        self._remote = asked.remote_service is not None
        self._name = asked.span_name is not None
        self._duration = asked.min_duration is not None
        self._link = asked.links_to is not None
        self._terms = dict(asked.terms)

    def strike(self, span: Span) -> None:
        """Take off what ``span`` is."""
        asked = self._asked
        self._service = False
        if self._terms:
            for annotation in span.annotations:
                if self._terms.get(annotation.value) == "":
                    del self._terms[annotation.value]
            for key, value in span.tags.items():
                if self._terms.get(key) in ("", value):
                    del self._terms[key]
        if self._remote and asked.remote_service == span.remote_service:
            self._remote = False
        if self._name and asked.span_name == span.name:
            self._name = False
        if self._duration and is_within(span.duration, asked):
            self._duration = False
        if self._link and span.more is not None:
            self._link = all(link.trace_id != asked.links_to for link in span.more.links)

    @property
    def nothing(self) -> bool:
        open = (self._service, self._remote, self._name, self._duration, self._link)
        return not (any(open) or self._terms)


def is_within(duration: int, asked: Query) -> bool:
    """Whether a span of that length is as long as was asked for."""
    if asked.min_duration is None:
        return True
    longest = asked.max_duration
    return duration >= asked.min_duration and (longest is None or duration <= longest)
