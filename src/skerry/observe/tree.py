"""The spans of a trace as a tree, by Zipkin's rules (its ``SpanNode``).

Ids alone do not make one: the two sides of a call may share an id, several servers may share
one client's, a parent may be missing, and there may be no root, or two.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TypeAlias

from .merge import merged
from .model import Endpoint, Span, Trace

_Key: TypeAlias = str | tuple[str, Endpoint | None]


class Node:
    """A span in its place; ``span`` is None in a root made up for spans that have none."""

    __slots__ = ("children", "parent", "span")

    def __init__(self, span: Span | None) -> None:
        self.span = span
        self.parent: Node | None = None
        self.children: list[Node] = []

    def add(self, child: Node) -> None:
        self.children.append(child)
        child.parent = self

    def walk(self) -> Iterator[Node]:
        """All nodes that have a span, breadth first."""
        waiting = deque([self] if self.span is not None else self.children)
        while waiting:
            node = waiting.popleft()
            yield node
            waiting.extend(node.children)

    def clear(self) -> None:
        """Take it apart, so that it is freed at once: parents and children hold each other."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            node.parent = None
            waiting.extend(node.children)


def tree(spans: Trace) -> Node:
    """The tree of one trace, children by when they began. ``spans`` must not be empty."""
    whole = merged(spans)
    parents: dict[_Key, _Key | None] = {}
    for span in whole:
        if span.shared:
            parents[span.id, span.local_endpoint] = span.id
        else:
            parents[span.id] = span.parent_id
    root: Node | None = None
    nodes: dict[_Key, Node] = {}
    for span in whole:
        node = Node(span)
        if span.shared:
            nodes[span.id, span.local_endpoint] = nodes[span.id, None] = node
        elif span.parent_id is not None:
            # Below the server's half of its parent, where that is in the same place.
            beside = (span.parent_id, span.local_endpoint)
            if beside in parents:
                parents[span.id] = beside
            nodes[span.id] = node
        elif root is None:
            root = node
            parents.pop(span.id, None)
        else:
            nodes[span.id] = node
    if root is None:
        root = Node(None)
    for key, parent in parents.items():
        above = None if parent is None else nodes.get(parent)
        child = nodes[key]
        (root if above is None or above is child else above).add(child)
    _sort(root)
    return root


def _sort(root: Node) -> None:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if len(node.children) > 1:
            node.children.sort(key=_began)
        waiting.extend(node.children)


def _began(node: Node) -> int:
    return node.span.timestamp if node.span is not None else 0
