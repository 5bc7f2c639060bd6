"""A trace as a picture in the terminal: who did what, when, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from skerry.observe.model import CLIENT, CONSUMER, PRODUCER, Trace
from skerry.observe.waterfall import Row as Drawn
from skerry.observe.waterfall import waterfall

from .output import COLOURED_IN_TURN, duration, tint

_KINDS = {CLIENT: "→ ", PRODUCER: "⇢ ", CONSUMER: "⇠ "}
_LEAST_BARS = 12
_LONGEST_NAME = 48


@dataclass(frozen=True, slots=True)
class Row:
    """One span in its place.

    Attributes:
        id: 16 hex digits.
        label: its name, indented by its depth; which attempt it is, where it is one of several.
        offset, seconds: of the trace's beginning, and how long; None where nobody said.
        trouble: what went wrong; empty for nothing.
    """

    id: str
    service: str
    label: str
    offset: float | None
    seconds: float | None
    trouble: str
    tags: dict[str, str]


def rows(trace: Trace) -> list[Row]:
    """The spans of a trace, parents before their children."""
    return [_row(row) for row in waterfall(trace).rows]


def _row(row: Drawn) -> Row:
    name = (row.name or "?")[:_LONGEST_NAME]
    if row.attempt is not None:
        number, several = row.attempt
        name += f" {number}/{several}" if several else f" attempt {number}"
    label = "  " * row.depth + _KINDS.get(row.kind, "") + name
    offset = None if row.start is None else row.start / 1e6
    seconds = row.duration / 1e6 if row.duration else None
    return Row(row.id, row.app or "?", label, offset, seconds, row.error, row.tags)


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
