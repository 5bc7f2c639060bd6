"""A trace as a picture in the terminal: who did what, when, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from skerry.observe.model import CLIENT, CONSUMER, PRODUCER, Span, Trace
from skerry.observe.tree import Node, tree

from .output import COLOURED_IN_TURN, duration, tint

_KINDS = {CLIENT: "→ ", PRODUCER: "⇢ ", CONSUMER: "⇠ "}
_LEAST_BARS = 12
_LONGEST_NAME = 48


@dataclass(frozen=True, slots=True)
class Row:
    """One span in its place.

    Attributes:
        label: its name, indented by its depth.
        offset, seconds: of the trace's beginning, and how long; None where nobody said.
        trouble: what went wrong; empty for nothing.
    """

    service: str
    label: str
    offset: float | None
    seconds: float | None
    trouble: str
    span: Span


def rows(trace: Trace) -> list[Row]:
    """The spans of a trace, parents before their children."""
    begin = min((span.timestamp for span in trace if span.timestamp), default=0)
    return [_row(node, depth, begin) for node, depth in _walk(tree(trace))]


def _walk(root: Node) -> Iterator[tuple[Node, int]]:
    waiting = [(root, 0)] if root.span is not None else [(c, 0) for c in reversed(root.children)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting += [(child, depth + 1) for child in reversed(node.children)]


def _row(node: Node, depth: int, begin: int) -> Row:
    span = node.span
    assert span is not None
    name = (span.name or "?")[:_LONGEST_NAME]
    label = "  " * depth + _KINDS.get(span.kind or "", "") + name
    offset = (span.timestamp - begin) / 1e6 if span.timestamp else None
    seconds = span.duration / 1e6 if span.duration else None
    return Row(span.service or "?", label, offset, seconds, trouble(span), span)


def trouble(span: Span) -> str:
    """What went wrong in a span; empty for nothing."""
    for event in reversed(span.more.events if span.more is not None else ()):
        if event.name == "exception":
            attributes = event.attributes
            kind = attributes.get("exception.type", "exception")
            return ": ".join(filter(None, (kind, attributes.get("exception.message", ""))))
    said = span.tags.get("error")
    if said is None:
        return ""
    return said if said not in ("", "true") else span.tags.get("error.type", "error")


def lines(found: list[Row], width: int, colour: bool) -> Iterator[str]:
    """The picture, line by line.

    Args:
        width: columns there are.
    """
    names = max(len(row.service) for row in found)
    labels = min(max(len(row.label) for row in found), max(24, width // 2))
    whole = max((row.offset or 0) + (row.seconds or 0) for row in found) or 1e-6
    room = max(_LEAST_BARS, width - names - labels - 12)
    colours = _colours(found)
    for row in found:
        bar = _bar(row, whole, room)
        took = "" if row.seconds is None else duration(row.seconds)
        service = row.service.ljust(names)
        if colour:
            service = tint(service, colours[row.service])
            bar = tint(bar, "red" if row.trouble else colours[row.service])
        label = row.label[:labels].ljust(labels)
        line = f"{service} {label} {bar} {took:>7}"
        if row.trouble:
            said = row.trouble.splitlines()[0]
            line += f"\n{'':{names}} {'':{_indent(row.label)}}✗ " + (
                tint(said, "red") if colour else said
            )
        yield line


def _indent(label: str) -> int:
    return len(label) - len(label.lstrip()) + 2


def _bar(row: Row, whole: float, room: int) -> str:
    if row.offset is None:
        return " " * room
    first = min(room - 1, int(row.offset / whole * room))
    length = max(1, round((row.seconds or 0) / whole * room))
    return (" " * first + "█" * min(length, room - first)).ljust(room)


def _colours(found: list[Row]) -> dict[str, str]:
    services = dict.fromkeys(row.service for row in found)
    several = len(COLOURED_IN_TURN)
    return {name: COLOURED_IN_TURN[i % several] for i, name in enumerate(services)}
