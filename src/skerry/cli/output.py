"""What a terminal shows: tables that line up, JSON for programs, colour only for eyes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, TextIO

_COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36, "dim": 2}
COLOURED_IN_TURN = ("cyan", "yellow", "green", "magenta", "blue")

_BARS = " ▁▂▃▄▅▆▇█"
_GAP = 2
_NARROWEST = 20
_USUAL = 80  # columns of a terminal that does not say
_LISTED = 12  # words an error message names

STATES = {
    "ready": "green",
    "external": "cyan",
    "starting": "yellow",
    "stopping": "yellow",
    "backoff": "yellow",
    "unhealthy": "red",
    "crashed": "red",
    "stopped": "dim",
}


class Failed(Exception):
    """A verb could not do what was asked; its text says what, where and what to do."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def coloured(stream: TextIO) -> bool:
    """Whether ``stream`` is a terminal whose owner has not asked for plain text (no-color.org)."""
    return not os.environ.get("NO_COLOR") and stream.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """``text`` in a colour, where ``stream`` (standard output) shows colours."""
    return tint(text, colour) if coloured(stream or sys.stdout) else text


def tint(text: str, colour: str) -> str:
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def echo_json(value: Any) -> None:
    """``value`` as indented JSON, on standard output."""
    if coloured(sys.stdout):
        from .pretty import indented

        print(indented(json.dumps(value), colour=True))
    else:
        print(json.dumps(value, indent=2, ensure_ascii=False))


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Columns as wide as their widest cell.

    On a terminal the table is made to fit: columns that can be spared are left out, and the last
    one is wrapped. Elsewhere each row is one line.

    Args:
        right: the heads of the columns that line up on the right.
        spare: the heads of those that can be spared, in that order.
    """
    lines = [list(header), *([*row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if sys.stdout.isatty():
        room = _columns()
        for head in spare:
            if sum(widths) + _GAP * len(widths) - _GAP > room:
                left_out = lines[0].index(head)
                for cells in (*lines, widths):
                    del cells[left_out]  # type: ignore[attr-defined]
        rest = room - sum(widths[:-1]) - _GAP * len(widths)
        widths[-1] = min(widths[-1], max(_NARROWEST, rest))
    heads = lines[0]
    for number, cells in enumerate(lines):
        _row(cells, widths, [head in right for head in heads], heading=number == 0)


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _USUAL
    except OSError:
        return _USUAL


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool], heading: bool) -> None:
    last = cells[-1]
    if len(last) > widths[-1]:
        import textwrap

        wrapped = textwrap.wrap(last, widths[-1], break_on_hyphens=False)
    else:
        wrapped = [last]
    for number, text in enumerate(wrapped):
        shown = [*cells[:-1], text] if number == 0 else [*[""] * (len(cells) - 1), text]
        aligned = [
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(shown, widths, right, strict=True)
        ]
        line = (" " * _GAP).join(
            paint(text, STATES[cell]) if cell in STATES else text
            for cell, text in zip(shown, aligned, strict=True)
        )
        print(paint(line.rstrip(), "dim") if heading else line.rstrip())


def note(message: str) -> None:
    """Something for people, on standard error, out of the way of what is piped."""
    print(message, file=sys.stderr)


def fail(message: str, status: int = 1) -> NoReturn:
    raise Failed(message, status)


def nearest(word: str, known: Sequence[str]) -> str:
    """`` Did you mean 'x'?``, or what there is, for the end of an error message."""
    import difflib  # only whoever mistypes pays for it

    found = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if found:
        return f" Did you mean {found[0]!r}?"
    if not known:
        return ""
    shown = ", ".join(sorted(known)[:_LISTED]) + (", …" if len(known) > _LISTED else "")
    return f" There is {shown}."


def several(number: int, what: str) -> str:
    """``1 app``, ``2 apps``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def duration(seconds: float) -> str:
    """``0.8ms``, ``12ms``, ``3.2s``."""
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.0f}µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.3g}ms"
    return f"{seconds:.3g}s" if seconds < 999.5 else f"{seconds:.0f}s"


def often(rate: float) -> str:
    """``12/s``, ``3.5/min``, ``2/h``, of so many in a second."""
    for unit, size in (("s", 1), ("min", 60)):
        if rate * size >= 0.095:
            return f"{rate * size:.3g}/{unit}"
    return f"{rate * 3600:.2g}/h"


def age(seconds: float) -> str:
    """``5s``, ``12m``, ``3h``, ``2d``."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def sparkline(counts: list[int], width: int) -> str:
    """Counts as ``width`` bars of text, the highest of them full."""
    size = -(-len(counts) // width)
    sums = [sum(counts[i : i + size]) for i in range(0, len(counts), size)]
    most = max(sums, default=0)
    if not most:
        return " " * len(sums)
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] for count in sums)
