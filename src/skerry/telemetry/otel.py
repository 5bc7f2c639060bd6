"""OpenTelemetry's API for traces, with our recorder behind it.

Instrumentation that other people wrote (SQLAlchemy, asyncpg, redis, …) asks this API for a tracer.
It gets ours, unless somebody has set a provider before the app began to record: then ours are
spans of that provider (``adopted.py``). Either way there is one trace, and one place for it to go.

Imported when somebody else has imported the API, and never before: it is not a dependency.
Source: OpenTelemetry's specification of the trace API, 1.40; where the SDK does more than that and
people rely on it, as the SDK does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry import context as context_api
from opentelemetry import trace as api
from opentelemetry.trace import SpanContext, SpanKind
from opentelemetry.util._decorator import _agnosticcontextmanager

from skerry.core.context import Context, Trace, attach, current, current_trace, detach

from .attributes import SCOPE, SCOPE_VERSION
from .limits import Limits
from .seen import KINDS, Seen, moment_of, span_context, trace_of
from .spans import Api, Kind, Mark, Span, Tracer, anybody, here

_KINDS: dict[SpanKind, Kind] = {theirs: ours for ours, theirs in KINDS.items()}


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
        span, trace = tracer.start(name, _KINDS[kind], self._fixed, moment_of(start_time), above)
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
        fixed = {SCOPE: instrumenting_module_name or ""}
        if instrumenting_library_version:
            fixed[SCOPE_VERSION] = instrumenting_library_version
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


def _tracer_at(context: context_api.Context | None) -> Tracer | None:
    """Who takes what is recorded there: an app of several in this process, or the only one."""
    seen = api.get_current_span(context)
    span = seen.span if isinstance(seen, Seen) else here()
    tracer = anybody() if span is None else span.tracer
    return tracer if tracer is not None and tracer.on else None
