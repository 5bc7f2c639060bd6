"""Clocks that disagree: whoever is called cannot have begun before the call.

Nothing tells how far two machines' clocks are apart but the two ends of a call. Where the
called end does not fit into the caller's, its clock was off, and it is put into the middle: what
the network took is half before and half after (as Zipkin does it).
"""

from __future__ import annotations

from msgspec.structs import replace

from .model import CLIENT, SERVER, Span
from .tree import Node

TOLERANCE = 1000
"""Microseconds that clocks may be apart without anybody being told: one machine's are no better."""


def correct(root: Node) -> dict[Node, int]:
    """Move spans whose clocks were off, in place; by how many microseconds each was moved."""
    moved: dict[Node, int] = {}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        by = _shift(node, moved.get(node.parent, 0) if node.parent is not None else 0)
        if by and node.span is not None and node.span.timestamp:
            node.span = replace(node.span, timestamp=node.span.timestamp + by)
            moved[node] = by
        waiting.extend(node.children)
    for parent in {node.parent for node in moved}:
        if parent is not None:
            parent.children.sort(key=lambda node: node.span.timestamp if node.span else 0)
    return moved


def _shift(node: Node, above: int) -> int:
    """How far a span has to be moved to fit its parent, which was moved by ``above``."""
    span, parent = node.span, None if node.parent is None else node.parent.span
    if span is None or parent is None:
        return 0
    if _place(span) == _place(parent):
        return above
    if span.kind != SERVER or parent.kind != CLIENT or not span.timestamp or not parent.timestamp:
        return 0
    begin, end = parent.timestamp, parent.timestamp + parent.duration
    late = span.timestamp > end + TOLERANCE and "error" not in parent.tags  # nobody gave it up
    if span.timestamp >= begin - TOLERANCE and not late:
        return 0
    return begin + max(0, (parent.duration - span.duration) // 2) - span.timestamp


def _place(span: Span) -> tuple[str | None, str | None]:
    return span.service, span.tags.get("service.instance.id")
