"""What one trace adds to the totals: the calls in it, and how long they took.

A trace comes in pieces, some of them late and some of them twice. Its part in the totals is
therefore always that of all its spans together: what it was before is taken off when what it
is now is added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from skerry.telemetry.histogram import UNIT

from .linker import calls, remote_ancestor
from .model import CONSUMER, PRODUCER, SERVER, Span, Trace, began
from .tree import Node, tree

MINUTE = 60_000_000  # microseconds

_PER_MICROSECOND = UNIT / 1e6


class Sample(NamedTuple):
    """One call, as the totals count it.

    Attributes:
        key: what it is counted under, beginning with the name of the total.
        minute: in which, since 1970.
        units: how long it took, as histograms have it; -1 where nobody said.
    """

    key: tuple[str, ...]
    minute: int
    error: bool
    units: int
    trace_id: str


OPERATION, EDGE, LINK = "operation", "edge", "link"

Origin = Callable[[str, str], str | None]
"""Which service recorded a span, by the ids of its trace and its own; None if it is unknown."""


def summarise(trace: Trace, origin: Origin) -> list[Sample]:
    """What ``trace``, whose spans are all of one, adds to the totals.

    Args:
        origin: asked for what a consumer's links lead to.
    """
    if not trace:
        return []
    root = tree(trace)
    minute = began(trace) // MINUTE
    found: list[Sample] = []
    for call in calls(root):
        link = (LINK, call.parent, call.child)
        found.append(Sample(link, minute, call.error, -1, trace[0].trace_id))
        span = call.span
        if span is None or span.kind in (PRODUCER, CONSUMER):
            continue
        measured = call.caller if call.caller is not None and call.caller.duration else span
        found.append(_sample((EDGE, call.parent, call.child, ""), measured, call.error))
    for node in root.walk():
        span = node.span
        assert span is not None
        if span.kind in (SERVER, CONSUMER) and span.service is not None:
            key = (OPERATION, span.service, span.name or "", span.kind)
            found.append(_sample(key, span, "error" in span.tags))
        if span.kind in (PRODUCER, CONSUMER):
            found += _messages(node, span, origin)
    root.clear()
    return found


def _messages(node: Node, span: Span, origin: Origin) -> Iterable[Sample]:
    """Events: from who published to who handles, where that is known; else to the broker."""
    here, broker = span.service, span.remote_service
    if here is None:
        return
    error = "error" in span.tags
    if span.kind == PRODUCER:
        handled = any(child.span and child.span.kind == CONSUMER for child in node.children)
        if broker is not None and not handled:
            yield _sample((EDGE, here, broker, _topic(span)), span, error)
        return
    source = _publisher(node, span, origin) or broker
    if source is not None:
        yield _sample((EDGE, source, here, _topic(span)), span, error)


def _publisher(node: Node, span: Span, origin: Origin) -> str | None:
    above = remote_ancestor(node)
    if above is not None and above.kind == PRODUCER:
        return above.service
    if span.more is not None:
        for link in span.more.links:
            found = origin(link.trace_id, link.span_id)
            if found is not None:
                return found
    return None


def _topic(span: Span) -> str:
    """What was published to: never empty, because that says it was a call."""
    return span.tags.get("messaging.destination.name") or span.name or "message"


def _sample(key: tuple[str, ...], span: Span, error: bool) -> Sample:
    units = int(span.duration * _PER_MICROSECOND) if span.duration else -1
    return Sample(key, span.timestamp // MINUTE, error, units, span.trace_id)
