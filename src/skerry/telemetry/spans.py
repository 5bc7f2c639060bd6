"""Spans: what this process does for a request, when, and how it ends.

Every request pays for this, so a span is one object that is filled in and put into a buffer; all
else (wall time, attributes, encoding) happens when it is sent. The buffer has an end: what does
not fit is counted and lost, because a slow collector must not cost memory.

A ``Tracer`` belongs to a ``Metrics`` registry, and is off until somebody takes its spans away:
then nothing is recorded, and a trace goes through as it came.
"""

from __future__ import annotations

import random
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias
from weakref import WeakSet

from skerry.core.clock import Clock, system
from skerry.core.context import Context, Trace, attach, current, current_trace, detach

from .exceptions import told

Kind = Literal["internal", "server", "client", "producer", "consumer"]

Mark: TypeAlias = Token[Context] | Callable[[], object]
"""What makes the span before current again; see ``Tracer.begin``."""

_draw = random.getrandbits

IDS = 1 << 64
"""Traces are chosen by the lower half of their ids, which is random."""

resends: ContextVar[int] = ContextVar("resends", default=0)
"""How often what is being sent has been sent before: of an attempt that is a retry."""


class Link(NamedTuple):
    """Another trace that a span has to do with, and how."""

    trace: Trace
    attributes: Mapping[str, Any] = {}


class Api(Protocol):
    """OpenTelemetry's, while somebody uses it: it is told of our spans, so that what other people
    record is below them."""

    def begin(
        self,
        tracer: Tracer,
        name: str,
        kind: Kind,
        fixed: Mapping[str, str],
        started: float,
    ) -> tuple[Span, Mark]:
        """As ``Tracer.begin``, and current there as well."""

    def end(self, span: Span) -> None:
        """A span with a ``twin`` is over."""


class Span:
    """One span, while it lasts and afterwards.

    Attributes:
        trace_id, span_id: as in ``Trace``; ``parent_id`` 0 is none.
        name, kind: what was done, and on which end of it.
        fixed: attributes that all spans of one place have; shared, never changed.
        attributes: this one's own; None while there are none.
        events: moment, name and attributes of each; None while there are none.
        links: traces that this one has to do with.
        started, ended: on the clock's ``now()``.
        status: of the HTTP answer; 0 for none.
        path: of the HTTP request.
        error: what went wrong, as ``error.type`` has it; empty for nothing.
        failed: whether that is an error, or an answer such as any other.
        verdict: what somebody has said of it by OpenTelemetry's API: ``Ok`` is 1 and ``Error`` 2,
            and a description; None where nobody has.
        lost: attributes, events and links for which there was no room; None for none.
        tracer: where it goes.
        twin: what stands for it where somebody else's provider records.
    """

    __slots__ = (
        *("attributes", "ended", "error", "events", "failed", "fixed", "kind", "links", "lost"),
        *("name", "parent_id", "path", "span_id", "started", "state", "status", "trace_id"),
        *("tracer", "twin", "verdict"),
    )

    def __init__(
        self,
        name: str,
        kind: Kind,
        fixed: Mapping[str, str],
        trace_id: int,
        span_id: int,
        parent_id: int,
        started: float,
    ) -> None:
        self.name = name
        self.kind: Kind = kind
        self.fixed = fixed
        self.trace_id = trace_id
        self.span_id = span_id
        self.parent_id = parent_id
        self.started = started
        self.ended = 0.0
        self.status = 0
        self.path = ""
        self.state = ""
        self.error = ""
        self.failed = False
        self.attributes: dict[str, Any] | None = None
        self.events: list[tuple[float, str, dict[str, Any]]] | None = None
        self.links: Sequence[Link] = ()
        self.verdict: tuple[int, str] | None = None
        self.lost: list[int] | None = None
        self.tracer: Tracer | None = None
        self.twin: Any = None

    def note(self, name: str, attributes: dict[str, Any] | None = None) -> None:
        """Something happened during it, just now."""
        if self.events is None:
            self.events = []
        self.events.append((system.now(), name, attributes or {}))

    def set(self, name: str, value: Any) -> None:
        """Say something of it."""
        if self.attributes is None:
            self.attributes = {}
        self.attributes[name] = value

    def fail(self, error: BaseException) -> None:
        """It was raised, and nobody had foreseen it: told with stack and variables."""
        said = told(error)
        self.error, self.failed = said["exception.type"], True
        self.note("exception", said)


class Tracer:
    """Where the spans of one process, or one app of it, go.

    Args:
        room: spans that wait to be taken.

    Attributes:
        on: whether anybody takes them.
        room: as given; may be changed.
        dropped: how many found no room, since ``missed`` was last asked.
        below: spans are sent of traces whose id, modulo ``IDS``, is below this; 0 for all.
    """

    def __init__(self, room: int = 20_000, clock: Clock = system) -> None:
        self.on = False
        self.dropped = 0
        self.below = 0
        self.room = room
        self._clock = clock
        self._ended: deque[Span] = deque()
        _tracers.add(self)

    def begin(
        self, name: str, kind: Kind, fixed: Mapping[str, str], started: float
    ) -> tuple[Span, Mark]:
        """A span below the current one, which is now current itself.

        Returns:
            the span, and what ``end`` takes to make the one before current again.
        """
        if "opentelemetry.trace" in sys.modules and (api := _api or join()) is not None:
            return api.begin(self, name, kind, fixed, started)
        span, trace = self.start(name, kind, fixed, started, current_trace())
        context = current()
        return span, attach(Context(trace, context.deadline, context.criticality, context.baggage))

    def start(
        self,
        name: str,
        kind: Kind,
        fixed: Mapping[str, str],
        started: float,
        above: Trace | None,
    ) -> tuple[Span, Trace]:
        """A span below ``above``, and the trace for what is below it; current it is not."""
        if above is None:
            span = Span(name, kind, fixed, _draw(128) or 1, _draw(64) or 1, 0, started)
            flags, state = 1, ""
        elif above.fresh:
            span = Span(name, kind, fixed, above.trace_id, above.span_id, 0, started)
            flags, state = above.flags, above.state
        else:
            span_id = _draw(64) or 1
            span = Span(name, kind, fixed, above.trace_id, span_id, above.span_id, started)
            flags, state = above.flags, above.state
            span.state = state
        # Over itself: where OpenTelemetry's current span is this one, it is not news.
        trace = Trace(span.trace_id, span.span_id, flags, state, span, False, span.span_id)
        span.tracer = self
        return span, trace

    def leave(self, mark: Mark) -> None:
        """Make the span before current again, while this one goes on."""
        if isinstance(mark, Token):
            detach(mark)
        else:
            mark()

    def end(self, span: Span, mark: Mark | None, ended: float) -> None:
        """A span is over."""
        if mark is not None:
            self.leave(mark)
        span.ended = ended
        if span.twin is not None:
            if _api is not None:
                _api.end(span)
        elif len(self._ended) < self.room:
            self._ended.append(span)
        else:
            self.dropped += 1

    def take(self, most: int) -> list[Span]:
        """Up to ``most`` spans that have ended, oldest first; they are the caller's now."""
        ended = self._ended
        return [ended.popleft() for _ in range(min(most, len(ended)))]

    def missed(self) -> int:
        """How many have found no room since this was last asked."""
        missed, self.dropped = self.dropped, 0
        return missed

    @property
    def waiting(self) -> int:
        return len(self._ended)


def exemplary(span: Span | None) -> Span | None:
    """A span that metrics may name, because it can be looked up later: one of the share that is
    sent, or, where somebody has set up OpenTelemetry's SDK, one that is recorded by it."""
    if span is None:
        return None
    if span.twin is not None:
        return span if span.twin.get_span_context().trace_flags.sampled else None
    below = 0 if span.tracer is None else span.tracer.below
    return span if not below or span.trace_id % IDS < below else None


def here() -> Span | None:
    """The span that is being recorded in this task; None outside of any."""
    trace = current().trace
    span = None if trace is None else trace.span
    return span if isinstance(span, Span) else None


_api: Api | None = None
_tracers: WeakSet[Tracer] = WeakSet()


def use(api: Api | None) -> None:
    """Tell ``api`` of spans from now on; None for nobody."""
    global _api
    _api = api


def anybody() -> Tracer | None:
    """A tracer of this process whose spans somebody takes: for what belongs to no request."""
    return next((tracer for tracer in _tracers if tracer.on), None)


def join() -> Api | None:
    """Come to terms with OpenTelemetry's API, if somebody has imported it, who will want to use it.

    When recording begins, so that what others record before our first span is not lost; and with
    that first span, where they have imported it since.
    """
    if _api is None and hasattr(sys.modules.get("opentelemetry.trace"), "use_span"):
        from .otel import join as come_to_terms  # it may just be being imported: not then

        use(come_to_terms())
    return _api
