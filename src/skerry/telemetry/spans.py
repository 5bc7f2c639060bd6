"""Spans: what this process does for a request, when, and how it ends.

Every request pays for this, so a span is one object that is filled in and put into a buffer; all
else (wall time, attributes, encoding) happens when it is sent. The buffer has an end: what does
not fit is counted and lost, because a slow collector must not cost memory.

A ``Tracer`` belongs to a ``Metrics`` registry, and is off until somebody takes its spans away:
then nothing is recorded, and a trace goes through as it came.
"""

from __future__ import annotations

import os
import random
import traceback
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from skerry.core.clock import Clock, system
from skerry.core.context import Context, Trace, attach, current, current_trace, detach

Kind = Literal["internal", "server", "client", "producer", "consumer"]

_draw = random.getrandbits
_STACK = 16_384  # characters
_FRAMES = 3
_OURS = str(Path(__file__).parents[1]) + os.sep
_LIBRARIES = ("site-packages", "dist-packages", os.path.dirname(os.__file__) + os.sep)


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
    """

    __slots__ = (
        *("attributes", "ended", "error", "events", "failed", "fixed", "kind", "links"),
        *("name", "parent_id", "path", "span_id", "started", "state", "status", "trace_id"),
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
        self.links: Sequence[Trace] = ()

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
        kind = type(error)
        name = kind.__qualname__
        if kind.__module__ not in ("builtins", "__main__"):
            name = f"{kind.__module__}.{name}"
        self.error, self.failed = name, True
        stack = "".join(traceback.format_exception(error))[-_STACK:]
        found = {"exception.type": name, "exception.message": str(error)[:_STACK]}
        found["exception.stacktrace"] = stack
        variables = local(error)
        if variables:
            found["skerry.locals"] = variables
        self.note("exception", found)


class Tracer:
    """Where the spans of one process, or one app of it, go.

    Args:
        room: spans that wait to be taken.

    Attributes:
        on: whether anybody takes them.
        dropped: how many found no room, since ``missed`` was last asked.
    """

    def __init__(self, room: int = 20_000, clock: Clock = system) -> None:
        self.on = False
        self.dropped = 0
        self._room = room
        self._clock = clock
        self._ended: deque[Span] = deque()

    def begin(
        self, name: str, kind: Kind, fixed: Mapping[str, str], started: float
    ) -> tuple[Span, Any]:
        """A span below the current one, which is now current itself.

        Returns:
            the span, and what ``end`` takes to make the one before current again.
        """
        context = current()
        above = current_trace()
        if above is None:
            span = Span(name, kind, fixed, _draw(128) or 1, _draw(64) or 1, 0, started)
            trace = Trace(span.trace_id, span.span_id, 1, "", span)
        elif above.fresh:
            span = Span(name, kind, fixed, above.trace_id, above.span_id, 0, started)
            trace = Trace(above.trace_id, above.span_id, above.flags, above.state, span)
        else:
            span_id = _draw(64) or 1
            span = Span(name, kind, fixed, above.trace_id, span_id, above.span_id, started)
            trace = Trace(above.trace_id, span_id, above.flags, above.state, span, over=above.over)
        return span, attach(Context(trace, context.deadline, context.criticality, context.baggage))

    def end(self, span: Span, token: Any, ended: float) -> None:
        """A span is over."""
        if token is not None:
            detach(token)
        span.ended = ended
        if len(self._ended) < self._room:
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


def here() -> Span | None:
    """The span that is being recorded in this task; None outside of any."""
    trace = current().trace
    span = None if trace is None else trace.span
    return span if isinstance(span, Span) else None


def local(error: BaseException) -> str:
    """The variables of an exception's innermost frames, short and without what is secret: of the
    frames in the app's own code, because libraries hold a request in many places."""
    from .redaction import shown

    frames = []
    cursor = error.__traceback__
    while cursor is not None:
        if not _is_library(cursor.tb_frame.f_code.co_filename):
            frames.append(cursor.tb_frame)
        cursor = cursor.tb_next
    lines = []
    for frame in frames[-_FRAMES:]:
        code = frame.f_code
        lines.append(f"{code.co_filename}:{frame.f_lineno} {code.co_name}")
        lines += [f"    {name} = {shown(name, value)}" for name, value in frame.f_locals.items()]
    return "\n".join(lines)[:_STACK]


def _is_library(file: str) -> bool:
    return file.startswith(("<", _OURS)) or any(place in file for place in _LIBRARIES)
