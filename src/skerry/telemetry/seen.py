"""A span of ours as OpenTelemetry's API shows it: to be read and written by code that knows nothing
of us."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import Any

from opentelemetry import trace as api
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode

from skerry.core.clock import system
from skerry.core.context import Trace

from .attributes import SCOPE, SCOPE_VERSION, attributes_of, message_of, status_of
from .exceptions import told
from .limits import Limits
from .spans import Kind, Link, Span

log = logging.getLogger("skerry.telemetry")

KINDS: dict[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
_ATTRIBUTES, _EVENTS, _LINKS = 0, 1, 2


class Seen(api.Span):
    """A span of ours as OpenTelemetry's API shows it, to be read and written.

    Args:
        trace: its place, ``skerry_trace``: ``core.context`` looks for it.
        limits: how much of what is said about it is kept.
        record_exception, set_status_on_exception: what leaving it as a context manager does.
    """

    __slots__ = ("_context", "_limits", "_on_exit", "skerry_trace", "span")

    def __init__(
        self,
        span: Span,
        trace: Trace,
        limits: Limits,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> None:
        self.span = span
        self.skerry_trace = trace
        self._limits = limits
        self._context: SpanContext | None = None
        self._on_exit = record_exception, set_status_on_exception

    def get_span_context(self) -> SpanContext:
        if self._context is None:  # made when first asked for: of most nobody asks
            self._context = span_context(self.skerry_trace, remote=False)
        return self._context

    def is_recording(self) -> bool:
        return not self.span.ended

    # What the SDK's spans have beyond the API, and instrumentation looks at.

    @property
    def context(self) -> SpanContext:
        return self.get_span_context()

    @property
    def name(self) -> str:
        return self.span.name

    @property
    def kind(self) -> SpanKind:
        return KINDS[self.span.kind]

    @property
    def parent(self) -> SpanContext | None:
        """None of the first span of a trace."""
        span = self.span
        if not span.parent_id:
            return None
        remote = span.kind in ("server", "consumer")
        flags, state = TraceFlags(self.skerry_trace.flags), _state(span.state)
        return SpanContext(span.trace_id, span.parent_id, remote, flags, state)

    @property
    def attributes(self) -> Mapping[str, Any]:
        """As they are now; not to be changed here."""
        scope = (SCOPE, SCOPE_VERSION)
        fixed = {name: value for name, value in self.span.fixed.items() if name not in scope}
        return MappingProxyType(fixed | attributes_of(self.span))

    @property
    def status(self) -> Status:
        code = StatusCode(status_of(self.span))
        return Status(code, message_of(self.span) if code is StatusCode.ERROR else None)

    @property
    def start_time(self) -> int:
        """In nanoseconds since 1970."""
        return nanos(self.span.started)

    @property
    def end_time(self) -> int | None:
        """None while it lasts."""
        return nanos(self.span.ended) if self.span.ended else None

    def set_attribute(self, key: str, value: Any) -> None:
        if self._open("an attribute"):
            self._put({key: value})

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        if self._open("attributes"):
            self._put(attributes)

    def _put(self, attributes: Mapping[str, Any] | None) -> None:
        if attributes:
            kept = self.span.attributes = self.span.attributes or {}
            lost = self._limits.put(kept, attributes, self._limits.attributes)
            self._lose(_ATTRIBUTES, lost)

    def add_event(
        self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None
    ) -> None:
        if not self._open("an event"):
            return
        span, limits = self.span, self._limits
        events = span.events = span.events or []
        if len(events) >= limits.events:
            self._lose(_EVENTS, 1)
            return
        kept: dict[str, Any] = {}
        limits.put(kept, attributes or {}, limits.event_attributes)
        events.append((moment_of(timestamp), name, kept))

    def add_link(self, context: SpanContext, attributes: Mapping[str, Any] | None = None) -> None:
        if not self._open("a link"):
            return
        link = link_of(context, attributes, self._limits)
        if link is None:
            return
        if len(self.span.links) >= self._limits.links:
            self._lose(_LINKS, 1)
        else:
            self.span.links = (*self.span.links, link)

    def update_name(self, name: str) -> None:
        if self._open("a name"):
            self.span.name = str(name)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        if not self._open("a status"):
            return
        if isinstance(status, Status):
            code, description = status.status_code, status.description
        else:
            code = status
        told_before = self.span.verdict
        if code is StatusCode.UNSET or (told_before and told_before[0] == StatusCode.OK.value):
            return  # who said that it is fine has the last word
        said = description if code is StatusCode.ERROR else None
        self.span.verdict = code.value, self._limits.cut(said or "")
        self.span.failed = code is StatusCode.ERROR

    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        found: dict[str, Any] = {**told(exception), "exception.escaped": str(escaped)}
        self.add_event("exception", {**found, **(attributes or {})}, timestamp)

    def end(self, end_time: int | None = None) -> None:
        if self._open("an end") and self.span.tracer is not None:
            self.span.tracer.end(self.span, None, moment_of(end_time))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        if error is not None and self.is_recording():
            record, status = self._on_exit
            if record:
                self.record_exception(error, escaped=True)
            if status:
                self.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        self.end()

    def _open(self, what: str) -> bool:
        if self.span.ended:
            log.warning("%s comes too late: the span %r has ended", what, self.span.name)
            return False
        return True

    def _lose(self, what: int, count: int) -> None:
        if count:
            lost = self.span.lost = self.span.lost or [0, 0, 0]
            lost[what] += count


def trace_of(context: SpanContext) -> Trace:
    state = context.trace_state.to_header() if context.trace_state else ""
    return Trace(context.trace_id, context.span_id, int(context.trace_flags), state)


def span_context(trace: Trace, *, remote: bool) -> SpanContext:
    flags = TraceFlags(trace.flags)
    return SpanContext(trace.trace_id, trace.span_id, remote, flags, _state(trace.state))


def _state(text: str) -> TraceState | None:
    return TraceState.from_header([text]) if text else None


def link_of(
    context: SpanContext, attributes: Mapping[str, Any] | None, limits: Limits
) -> Link | None:
    """None for one that says nothing."""
    if not (context.is_valid or attributes or context.trace_state):
        return None
    kept: dict[str, Any] = {}
    limits.put(kept, attributes or {}, limits.link_attributes)
    return Link(trace_of(context), kept)


def moment_of(nanoseconds: int | None) -> float:
    """Wall time as on our clock; None is now."""
    if nanoseconds is None:
        return system.now()
    return nanoseconds / 1e9 - (system.wall() - system.now())


def nanos(moment: float) -> int:
    """A moment on our clock as wall time, in nanoseconds since 1970."""
    return int((moment + system.wall() - system.now()) * 1e9)
