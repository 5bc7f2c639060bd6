"""What a terminal shows: tables that line up, JSON for programs, colour only for eyes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, TextIO

_COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36, "dim": 2}
COLOURED_IN_TURN = ("cyan", "yellow", "green", "magenta", "blue")

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
    if not coloured(stream or sys.stdout):
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def echo_json(value: Any) -> None:
    """``value`` as indented JSON, on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Columns as wide as their widest cell.

    Args:
        right: the columns, by number, that line up on the right.
    """
    widths = [max(len(row[n]) for row in (header, *rows)) for n in range(len(header))]
    for number, row in enumerate((header, *rows)):
        cells = [
            cell.rjust(width) if n in right else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        if number == 0:
            print(paint("  ".join(cells).rstrip(), "dim"))
            continue
        shown = [
            cell.replace(row[n], paint(row[n], STATES[row[n]])) if row[n] in STATES else cell
            for n, cell in enumerate(cells)
        ]
        print("  ".join(shown).rstrip())


def note(message: str) -> None:
    """Something for people, on standard error, out of the way of what is piped."""
    print(message, file=sys.stderr)


def fail(message: str, status: int = 1) -> NoReturn:
    raise Failed(message, status)


def nearest(word: str, known: Sequence[str]) -> str:
    """`` Did you mean 'x'?``, or what there is, for the end of an error message."""
    import difflib

    found = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if found:
        return f" Did you mean {found[0]!r}?"
    return f" There is {', '.join(sorted(known))}." if known else ""


def duration(seconds: float) -> str:
    """``0.8ms``, ``12ms``, ``3.2s``."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f}µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g}ms"
    return f"{seconds:.3g}s"


def age(seconds: float) -> str:
    """``5s``, ``12m``, ``3h``, ``2d``."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"
