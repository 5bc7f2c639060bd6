"""What travels with a request, from app to app, without being in anybody's signature.

One immutable value in one ``ContextVar``. Changing it means making another and setting that,
so nothing leaks between requests, and nothing hops threads behind the user's back.
"""

from __future__ import annotations

import contextvars
import os
import random
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Literal
from urllib.parse import quote, unquote

from msgspec import Struct
from msgspec.structs import replace

from . import b3
from .wire import TIMEOUT, Headers, RawHeaders, parse_timeout

Criticality = Literal["critical", "normal", "sheddable"]
_CRITICALITIES: dict[str, Criticality] = {
    "critical": "critical",
    "normal": "normal",
    "sheddable": "sheddable",
}

_PROPAGATORS = [
    name.strip() for name in os.environ.get("OTEL_PROPAGATORS", "tracecontext").split(",")
]
_B3 = [write for name, write in (("b3", b3.single), ("b3multi", b3.multi)) if name in _PROPAGATORS]
# Never none at all: a fleet in which nobody tells of traces has none.
_W3C = "tracecontext" in _PROPAGATORS or not _B3

_MAX_BAGGAGE = 8192  # bytes, and 64 members: the least that W3C asks a propagator to carry
_MAX_MEMBERS = 64

_KNOWN_FLAGS = 3


class Trace(Struct, frozen=True):
    """Where in which trace we are: W3C Trace Context, level 1, as numbers.

    Attributes:
        trace_id: 128 bits, never zero.
        span_id: 64 bits, never zero: the span that is the parent of what happens next.
        flags: bit 0 says that the caller records this trace, bit 1 that its id is random.
        state: ``tracestate``, to be handed on.
        span: whatever records it in this process; None where nobody does.
        fresh: nothing has been recorded of this trace yet: ``span_id`` is that of its root.
        over: the span id of OpenTelemetry's that was current when this one began, below it.
    """

    trace_id: int
    span_id: int
    flags: int = 1
    state: str = ""
    span: object = None
    fresh: bool = False
    over: int = 0

    @property
    def traceparent(self) -> bytes:
        return b"00-%032x-%016x-%02x" % (self.trace_id, self.span_id, self.flags)


class Context(Struct, frozen=True):
    """The values that cross processes with a request.

    Attributes:
        trace: of the request being served; None outside of any.
        deadline: when the caller stops waiting, on the clock's ``now()``; None for never.
        criticality: what to give up first under load.
        baggage: W3C baggage: what the business wants to have everywhere (a tenant, a flag).
    """

    trace: Trace | None = None
    deadline: float | None = None
    criticality: Criticality = "normal"
    baggage: Mapping[str, str] = {}


EMPTY = Context()
_current: contextvars.ContextVar[Context] = contextvars.ContextVar("skerry", default=EMPTY)

current = _current.get
"""The context of the running task."""

attach = _current.set
"""Set the context of the running task; returns the token that ``detach`` takes back."""

detach = _current.reset


def amend(**changes: Any) -> contextvars.Token[Context]:
    """Replace some fields of the running task's context; see ``Context`` for which."""
    return _current.set(replace(_current.get(), **changes))


def current_trace() -> Trace | None:
    """The trace this task is in.

    Where OpenTelemetry has a current span that is not above ours, that span is the answer:
    instrumentation that other people wrote and ours are then in one trace. OpenTelemetry is
    looked up, never imported: while nobody has imported it, nobody can have set a span.
    """
    trace = _current.get().trace
    otel = sys.modules.get("opentelemetry.trace")
    get_span = getattr(otel, "get_current_span", None)  # not there while it is being imported
    if get_span is not None:
        seen = get_span()
        ours = getattr(seen, "skerry_trace", None)  # of one of ours, without making a context
        if ours is not None:
            return trace if trace is not None and ours.span_id == trace.over else ours
        span = seen.get_span_context()
        if span.is_valid and (trace is None or span.span_id != trace.over):
            state = span.trace_state.to_header() if span.trace_state else ""
            return Trace(
                span.trace_id, span.span_id, int(span.trace_flags), state, over=span.span_id
            )
    return trace


def new_trace() -> Trace:
    """The root of a new trace, with random ids."""
    bits = random.getrandbits(192)
    return Trace((bits >> 64) or 1, (bits & 0xFFFF_FFFF_FFFF_FFFF) or 1, fresh=True)


def extract(headers: Headers, now: float, limit: float | None = None) -> Context:
    """The context that a request brings with it.

    Anything malformed is as good as absent: a caller's bad header is never our error. A request
    without a trace starts one.

    Args:
        now: the clock's reading, for turning "time left" into a moment.
        limit: the most time in seconds that whoever serves the request allows.
    """
    first = headers.first()
    parent = first.get(b"traceparent")
    trace = None
    if parent is not None:
        state = parse_tracestate(headers.get_all("tracestate")) if b"tracestate" in first else ""
        trace = parse_traceparent(parent, state)
        if len(first) < len(headers.raw) and len(headers.get_all("traceparent")) > 1:
            trace = None  # nobody knows which of them is right
    elif b3.SINGLE in first or b3.TRACE_ID in first:
        found = b3.parse(first)
        trace = None if found is None else Trace(*found)
    timeout = first.get(TIMEOUT)
    if timeout is not None:
        left = parse_timeout(timeout)
        if left is not None and (limit is None or left < limit):
            limit = left
    deadline = None if limit is None else now + limit
    if b"baggage" not in first:
        return Context(trace or new_trace(), deadline)
    members = parse_baggage(",".join(headers.get_all("baggage")))
    criticality = _CRITICALITIES.get(members.pop("criticality", ""), "normal")
    return Context(trace or new_trace(), deadline, criticality, members)


def inject(context: Context, headers: RawHeaders) -> None:
    """Add to ``headers`` what the next app needs to go on; not the deadline, whose rest only
    the deadline filter knows."""
    trace = current_trace()
    if trace is not None:
        if _W3C:
            headers.append((b"traceparent", trace.traceparent))
            if trace.state:
                headers.append((b"tracestate", trace.state.encode("latin-1", "replace")))
        for written in _B3:
            headers.extend(written(trace.trace_id, trace.span_id, trace.flags))
    if context.baggage or context.criticality != "normal":
        headers.append((b"baggage", format_baggage(context)))


# One member of a list, W3C Trace Context, 3.3.1.3.
_MEMBER = re.compile(r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~]", re.ASCII)
_MOST_MEMBERS = 32

# Version, trace id, parent id and flags, in lower-case hex; a version to come may say more.
_TRACEPARENT = re.compile(
    rb"(?!ff|00.{54})[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?", re.DOTALL
)


def parse_traceparent(value: bytes, state: str = "") -> Trace | None:
    """The trace that a ``traceparent`` names (W3C Trace Context, 3.2); None where it is none."""
    found = _TRACEPARENT.fullmatch(value) or _TRACEPARENT.fullmatch(value.strip(b" \t"))
    if found is None:
        return None
    trace_id, span_id = int(found[1], 16), int(found[2], 16)
    if not trace_id or not span_id:
        return None
    return Trace(trace_id, span_id, int(found[3], 16) & _KNOWN_FLAGS, state)


def parse_tracestate(values: Iterable[str]) -> str:
    """What to hand on of ``tracestate``, in one line; nothing of it where any of it is malformed,
    or where there are more members than anybody has to take."""
    members = [
        member
        for value in values
        for part in value.split(",")
        if (member := part.strip(" \t"))  # empty ones are allowed
    ]
    if len(members) > _MOST_MEMBERS or not all(map(_MEMBER.fullmatch, members)):
        return ""
    return ",".join(members)


def parse_baggage(value: str) -> dict[str, str]:
    """Members of a ``baggage`` header, properties dropped, within the size W3C asks for."""
    members: dict[str, str] = {}
    if len(value) > _MAX_BAGGAGE:
        return members
    for member in value.split(",")[:_MAX_MEMBERS]:
        key, sign, rest = member.partition("=")
        if sign and key.strip():
            members[key.strip()] = unquote(rest.partition(";")[0].strip())
    return members


def format_baggage(context: Context) -> bytes:
    members = [f"{key}={quote(value, safe='')}" for key, value in context.baggage.items()]
    if context.criticality != "normal":
        members.insert(0, f"criticality={context.criticality}")
    return ",".join(members).encode("latin-1", "replace")
