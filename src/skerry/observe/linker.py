"""Who calls whom, read out of one trace by Zipkin's rules (its ``DependencyLinker``).

Calls are counted where they are served; at the bottom of the tree, where those who serve are
not instrumented, by what their callers say. A span without a kind that knows both sides counts
as a caller's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .model import CLIENT, CONSUMER, PRODUCER, SERVER, Span
from .tree import Node


class Call(NamedTuple):
    """One call between two services.

    Attributes:
        parent, child: names of who called, and who was called.
        error: it failed.
        span: that it was read from; None for one that only must have been.
        caller: the span of the other side, where there is one.
    """

    parent: str
    child: str
    error: bool
    span: Span | None
    caller: Span | None = None


def calls(root: Node) -> Iterator[Call]:
    """The calls within one trace."""
    for node in root.walk():
        span = node.span
        assert span is not None
        kind = span.kind
        if kind == CLIENT and node.children:
            continue  # whoever served it knows its own name better
        here, there = span.service, span.remote_service
        if kind is None:
            if here is None or there is None:
                continue
            kind = CLIENT
        error = "error" in span.tags
        if kind in (PRODUCER, CONSUMER):
            parent, child = (here, there) if kind == PRODUCER else (there, here)
            if parent is not None and child is not None:
                yield Call(parent, child, error, span)
            continue
        served = kind == SERVER
        parent, child = (there, here) if served else (here, there)
        if served and node is root and parent is None:
            continue  # its caller is unknown
        above = remote_ancestor(node)
        caller = None
        if above is not None and above.service is not None:
            if kind == CLIENT and here is not None and above.service != here:
                yield Call(above.service, here, False, None)  # its server left no span
            if served or parent is None:
                parent = above.service
            # Where a call is two spans, the caller may be the only one that saw it fail.
            if above.kind == CLIENT and span.parent_id is not None and above.id == span.parent_id:
                error = error or "error" in above.tags
            if served and above.kind == CLIENT and above.id in (span.parent_id, span.id):
                caller = above
        if parent is not None and child is not None:
            yield Call(parent, child, error, span, caller)


def remote_ancestor(node: Node) -> Span | None:
    """The nearest span above that has a kind: the last before this that crossed the network."""
    above = node.parent
    while above is not None:
        if above.span is not None and above.span.kind is not None:
            return above.span
        above = above.parent
    return None
