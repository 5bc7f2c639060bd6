"""OpenTelemetry's API for traces, with our recorder behind it.

Instrumentation that other people wrote (SQLAlchemy, asyncpg, redis, …) asks this API for a tracer.
It gets ours, unless somebody has set a provider before the app began to record: then ours are
spans of that provider (``adopted.py``). Either way there is one trace, and one place for it to go.

Imported when somebody else has imported the API, and never before: it is not a dependency.
Source: OpenTelemetry's specification of the trace API, 1.40; where the SDK does more than that and
people rely on it, as the SDK does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from opentelemetry import context as context_api
from opentelemetry import trace as api
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode
from opentelemetry.util._decorator import _agnosticcontextmanager

from skerry.core.clock import system
from skerry.core.context import Context, Trace, attach, current, current_trace, detach

from .exceptions import told
from .limits import Limits
from .spans import Api, Kind, Link, Mark, Span, Tracer, anybody, here

log = logging.getLogger("skerry.telemetry")

_KINDS: dict[SpanKind, Kind] = {
    SpanKind.INTERNAL: "internal",
    SpanKind.SERVER: "server",
    SpanKind.CLIENT: "client",
    SpanKind.PRODUCER: "producer",
    SpanKind.CONSUMER: "consumer",
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
        events.append((_moment(timestamp), name, kept))

    def add_link(self, context: SpanContext, attributes: Mapping[str, Any] | None = None) -> None:
        if not self._open("a link"):
            return
        link = _link(context, attributes, self._limits)
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
            self.span.tracer.end(self.span, None, _moment(end_time))

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


class ScopedTracer(api.Tracer):
    """Makes spans for one library.

    Args:
        fixed: its name and version, as attributes of all its spans.
    """

    def __init__(self, fixed: Mapping[str, str], limits: Limits) -> None:
        self._fixed = fixed
        self._limits = limits

    def start_span(
        self,
        name: str,
        context: context_api.Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[api.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> api.Span:
        above = current_trace() if context is None else trace_in(context)
        tracer = _tracer_at(context)
        if tracer is None:
            known = SpanContext(0, 0, False) if above is None else span_context(above, remote=False)
            return api.NonRecordingSpan(known)
        span, trace = tracer.start(name, _KINDS[kind], self._fixed, _moment(start_time), above)
        seen = Seen(span, trace, self._limits, record_exception, set_status_on_exception)
        if attributes:
            seen.set_attributes(attributes)
        for link in links or ():
            seen.add_link(link.context, link.attributes)
        return seen

    @_agnosticcontextmanager
    def start_as_current_span(
        self,
        name: str,
        context: context_api.Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[api.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Iterator[api.Span]:
        span = self.start_span(name, context, kind, attributes, links, start_time)
        with api.use_span(
            span,
            end_on_exit=end_on_exit,
            record_exception=record_exception,
            set_status_on_exception=set_status_on_exception,
        ):
            yield span


class TracerProvider(api.TracerProvider):
    """Gives out tracers; the process has one, ``opentelemetry.trace.get_tracer_provider()``.

    Args:
        limits: on what is said about one span; by default what ``OTEL_SPAN_*_LIMIT`` say.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits.from_environment()

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> api.Tracer:
        fixed = {"otel.scope.name": instrumenting_module_name or ""}
        if instrumenting_library_version:
            fixed["otel.scope.version"] = instrumenting_library_version
        return ScopedTracer(fixed, self.limits)


class Bridge:
    """Makes spans of our filters current in OpenTelemetry's context too."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def begin(
        self, tracer: Tracer, name: str, kind: Kind, fixed: Mapping[str, str], started: float
    ) -> tuple[Span, Mark]:
        span, trace = tracer.start(name, kind, fixed, started, current_trace())
        return span, enter(trace, Seen(span, trace, self._limits))

    def end(self, span: Span) -> None:
        """It has no twin: ``tracer`` keeps it."""


def enter(trace: Trace, seen: api.Span) -> Mark:
    """Make a span current in both contexts; what is returned undoes it."""
    before = current()
    theirs = context_api.attach(api.set_span_in_context(seen))
    ours = attach(Context(trace, before.deadline, before.criticality, before.baggage))

    def leave() -> None:
        detach(ours)
        context_api.detach(theirs)

    return leave


def join() -> Api:
    """Come to terms with the API: with the provider that is there, or as the provider."""
    provider = api.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        return Bridge(provider.limits)
    if is_set_up():
        from .adopted import Adopted

        return Adopted(provider)
    ours = TracerProvider()
    if isinstance(provider, api.ProxyTracerProvider):
        api.set_tracer_provider(ours)
    return Bridge(ours.limits)


def is_set_up() -> bool:
    """Whether the process has a provider of somebody else's."""
    nobodys = TracerProvider, api.ProxyTracerProvider, api.NoOpTracerProvider
    return not isinstance(api.get_tracer_provider(), nobodys)


def trace_in(context: context_api.Context) -> Trace | None:
    """The trace that a context of OpenTelemetry's is in."""
    found = api.get_current_span(context).get_span_context()
    return trace_of(found) if found.is_valid else None


def trace_of(context: SpanContext) -> Trace:
    state = context.trace_state.to_header() if context.trace_state else ""
    return Trace(context.trace_id, context.span_id, int(context.trace_flags), state)


def span_context(trace: Trace, *, remote: bool) -> SpanContext:
    state = TraceState.from_header([trace.state]) if trace.state else None
    return SpanContext(trace.trace_id, trace.span_id, remote, TraceFlags(trace.flags), state)


def _tracer_at(context: context_api.Context | None) -> Tracer | None:
    """Who takes what is recorded there: an app of several in this process, or the only one."""
    seen = api.get_current_span(context)
    span = seen.span if isinstance(seen, Seen) else here()
    tracer = anybody() if span is None else span.tracer
    return tracer if tracer is not None and tracer.on else None


def _link(
    context: SpanContext, attributes: Mapping[str, Any] | None, limits: Limits
) -> Link | None:
    """None for one that says nothing."""
    if not (context.is_valid or attributes or context.trace_state):
        return None
    kept: dict[str, Any] = {}
    limits.put(kept, attributes or {}, limits.link_attributes)
    return Link(trace_of(context), kept)


def _moment(nanoseconds: int | None) -> float:
    """Wall time as on our clock; None is now."""
    if nanoseconds is None:
        return system.now()
    return nanoseconds / 1e9 - (system.wall() - system.now())
