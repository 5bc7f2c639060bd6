"""Where the spans of journeys go: one function, so that whoever records spans is plugged in.

A run is a root span, its steps are below it, and the calls a step makes are below the step:
their ``traceparent`` names its span. Without a recorder the ids travel all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec import Struct

from skerry.core.clock import system
from skerry.core.context import Trace
from skerry.telemetry.spans import Kind, Span, Tracer

Value: TypeAlias = str | int | float | bool


class Spanned(Struct, frozen=True):
    """A run or a step that has ended.

    Attributes:
        trace: its own place in the trace.
        parent: the span it is below; 0 for the root.
        start: in seconds since 1970.
        duration: in seconds.
        error: what it ended with; empty when it went well.
    """

    name: str
    trace: Trace
    parent: int
    start: float
    duration: float
    error: str
    attributes: Mapping[str, Value]


Recorder: TypeAlias = Callable[[Spanned], object]


def _nobody(span: Spanned) -> None:
    """No spans are recorded in this process."""


_recorder: Recorder = _nobody


def record_with(recorder: Recorder | None) -> None:
    """Hand every span from now on to ``recorder``; None for nobody."""
    global _recorder
    _recorder = recorder or _nobody


def record(span: Spanned) -> None:
    _recorder(span)


def into(tracer: Tracer) -> Recorder:
    """What records runs and steps as spans of ours; a run is what the app ``journeys`` answers."""

    def recorder(one: Spanned) -> None:
        offset = system.wall() - system.now()
        kind: Kind = "internal" if one.parent else "server"
        ids = one.trace.trace_id, one.trace.span_id, one.parent
        span = Span(one.name, kind, {}, *ids, one.start - offset)
        span.attributes = dict(one.attributes)
        span.error, span.failed = one.error and "failed", bool(one.error)
        if one.error:
            said = {"exception.type": "JourneyFailed", "exception.message": one.error}
            span.note("exception", said)
        if tracer.on:
            tracer.end(span, None, span.started + one.duration)

    return recorder
