"""One span out of what was reported of it in pieces, by Zipkin's rules (its ``Trace.merge``).

Late and repeated reports are merged; the two sides of a call that share an id are not. Who
forgot to say ``shared`` is corrected: the whole trace is known here, callers first.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TypeAlias

from msgspec.structs import replace

from .model import CLIENT, SERVER, Endpoint, Span, Trace

_Key: TypeAlias = tuple[str, int, bool, tuple[tuple[bool, str], ...]]


def merged(spans: Trace) -> Trace:
    """The spans of a trace, each whole and once, by id, callers before those they called."""
    if len(spans) <= 1:
        return spans
    if len({span.id for span in spans}) == len(spans) and _is_one(spans):
        return sorted(spans, key=attrgetter("id"))
    ordered = sorted(spans, key=_order)
    trace_id = max((span.trace_id for span in ordered), key=len)
    found: Trace = []
    index = 0
    while index < len(ordered):
        span = ordered[index]
        index += 1
        if span.trace_id != trace_id and len(span.trace_id) != len(trace_id):
            span = replace(span, trace_id=trace_id)
        place = _Place(span.local_endpoint)
        while index < len(ordered):
            following = ordered[index]
            if following.id != span.id or following.shared != span.shared:
                break
            if not place.same(following.local_endpoint):
                break
            span = join(span, following)
            index += 1
        if found and found[-1].id == span.id:
            span = _second_side(found[-1], span)
        found.append(span)
    return found


def _is_one(spans: Trace) -> bool:
    length = len(spans[0].trace_id)
    return all(len(span.trace_id) == length for span in spans)


def join(span: Span, later: Span) -> Span:
    """Both reports of one span together; where they differ, the first one is right."""
    return replace(
        span,
        parent_id=span.parent_id or later.parent_id,
        kind=span.kind or later.kind,
        name=span.name or later.name,
        timestamp=span.timestamp or later.timestamp,
        duration=span.duration or later.duration,
        local_endpoint=_both(span.local_endpoint, later.local_endpoint),
        remote_endpoint=_both(span.remote_endpoint, later.remote_endpoint),
        annotations=sorted({*span.annotations, *later.annotations}),
        tags={**span.tags, **later.tags},
        debug=span.debug or later.debug,
        shared=span.shared or later.shared,
        more=span.more or later.more,
    )


def _second_side(first: Span, span: Span) -> Span:
    shared = span.shared
    if first.kind == CLIENT and span.kind == SERVER and not shared:
        shared = True
    parent = span.parent_id
    if shared and parent is None:
        parent = first.parent_id
    if shared == span.shared and parent == span.parent_id:
        return span
    return replace(span, shared=shared, parent_id=parent)


def _order(span: Span) -> _Key:
    """By id; not shared first, and of those callers; then by who recorded it, unknown first."""
    side = 2 if span.shared else 0 if span.kind == CLIENT else 1
    at = span.local_endpoint
    if at is None:
        return span.id, side, False, ()
    parts = tuple((part is None, part or "") for part in (at.service_name, at.ipv4, at.ipv6))
    return span.id, side, True, parts


def _both(one: Endpoint | None, other: Endpoint | None) -> Endpoint | None:
    if one is None or other is None or one == other:
        return one or other
    return Endpoint(
        one.service_name or other.service_name,
        one.ipv4 or other.ipv4,
        one.ipv6 or other.ipv6,
        one.port or other.port,
    )


class _Place:
    """Where reports of one span come from, as far as it is known."""

    def __init__(self, endpoint: Endpoint | None) -> None:
        self._known = endpoint

    def same(self, endpoint: Endpoint | None) -> bool:
        """Whether ``endpoint`` may be the same place; if so, it adds to what is known."""
        known = self._known
        if known is None or endpoint is None or known == endpoint:
            self._known = known or endpoint
            return True
        for name in ("service_name", "ipv4", "ipv6", "port"):
            one, other = getattr(known, name), getattr(endpoint, name)
            if one and other and one != other:
                return False
        self._known = _both(known, endpoint)
        return True
