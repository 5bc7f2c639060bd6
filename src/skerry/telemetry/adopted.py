"""Our filters' spans as spans of a provider that somebody else has set up.

Whoever configures OpenTelemetry's SDK has decided where spans go, which are kept, and what is added
to them. Then our spans are made by it, and are current in its context as in ours; we send nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import context as context_api
from opentelemetry import trace as api
from opentelemetry.trace import SpanContext
from opentelemetry.trace.status import Status, StatusCode

from skerry.core.context import Trace, current_trace

from .attributes import attributes_of, message_of
from .otel import enter
from .seen import KINDS, nanos, span_context
from .spans import Kind, Link, Mark, Span, Tracer


class Adopted:
    """Begins and ends spans with a provider of somebody else's."""

    def __init__(self, provider: api.TracerProvider) -> None:
        self._theirs = provider.get_tracer("skerry")

    def begin(
        self, tracer: Tracer, name: str, kind: Kind, fixed: Mapping[str, str], started: float
    ) -> tuple[Span, Mark]:
        twin = self._theirs.start_span(
            name, self._below(), KINDS[kind], dict(fixed), start_time=nanos(started)
        )
        theirs = twin.get_span_context()
        if not theirs.is_valid:  # a provider that is switched off; the trace goes on all the same
            span, trace = tracer.start(name, kind, fixed, started, current_trace())
            span.twin = twin
            return span, enter(trace, twin)
        span = Span(name, kind, fixed, theirs.trace_id, theirs.span_id, 0, started)
        span.tracer, span.twin = tracer, twin
        state = theirs.trace_state.to_header() if theirs.trace_state else ""
        flags = int(theirs.trace_flags)
        trace = Trace(span.trace_id, span.span_id, flags, state, span, over=span.span_id)
        return span, enter(trace, twin)

    def end(self, span: Span) -> None:
        twin: api.Span = span.twin
        if twin.is_recording():
            twin.set_attributes(attributes_of(span))
            for moment, name, attributes in span.events or ():
                twin.add_event(name, attributes, nanos(moment))
            for link in span.links:
                twin.add_link(_context(link), dict(link.attributes))
            if span.failed:
                twin.set_status(Status(StatusCode.ERROR, message_of(span)))
        twin.end(nanos(span.ended))

    def _below(self) -> context_api.Context:
        """What is current, as a context of theirs."""
        above = current_trace()
        if above is None or above.fresh:
            return api.set_span_in_context(api.INVALID_SPAN)
        now = api.get_current_span()
        if now.get_span_context().span_id == above.span_id:
            return context_api.get_current()
        return api.set_span_in_context(api.NonRecordingSpan(span_context(above, remote=True)))


def _context(link: Link) -> SpanContext:
    return span_context(link.trace, remote=True)
