"""Finding lines in the files that logs are kept in, newest first and not without end.

Files are read from their ends until there are as many lines as were asked for. Lines of one trace
are few among very many, so bytes are searched for its id before anything is understood: gigabytes
per second, where understanding takes some microseconds a line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from operator import itemgetter
from pathlib import Path

from .loglines import Line, Wanted, understood
from .logs import FILES_KEPT, TIME_LENGTH, older, tail

MOST = 128 * 1024 * 1024
"""Bytes that are searched for a trace, of all sources together."""

MOST_READ = 16 * 1024 * 1024
"""Bytes whose lines are understood one by one, for a level or a text."""

_BLOCK = 256 * 1024


def find(folder: Path, sources: Callable[[str], bool], count: int, wanted: Wanted) -> list[Line]:
    """The last lines that are wanted, understood, by the time they say.

    Of a level or a text there may be older ones, which nobody looks for any more, in what is
    more than ``MOST_READ`` back; of a trace, in what is more than ``MOST`` back.
    """
    if wanted.everything:
        found = [understood(line) for line in tail(folder, sources, count)]
    else:
        files = [file for file in sorted(folder.glob("*.log")) if sources(file.stem)]
        share = (MOST if wanted.trace else MOST_READ) // max(1, len(files))
        found = [line for file in files for line in reversed(_newest(file, count, wanted, share))]
    return _in_order(found)[-count:] if count else []


def _in_order(lines: list[Line]) -> list[Line]:
    """By the time that lines say, and of each source as it printed them: what it printed without a
    time of its own stands after what it had said before."""
    latest: dict[str, str] = {}
    keyed: list[tuple[str, Line]] = []
    for line in lines:
        # Some have more digits before the Z.
        latest[line.source] = max(latest.get(line.source, ""), line.time[:-1])
        keyed.append((latest[line.source], line))
    keyed.sort(key=itemgetter(0))
    return [line for _, line in keyed]


def _newest(file: Path, count: int, wanted: Wanted, most: int) -> list[Line]:
    """The last lines of one source that are wanted, newest first."""
    needles = wanted.needles()
    found: list[Line] = []
    if not count:
        return found
    for block in _blocks(file, most):
        if needles and not any(needle in block for needle in needles):
            continue
        for raw in reversed(block.split(b"\n")):
            if raw and (not needles or any(needle in raw for needle in needles)):
                text = raw.decode("utf-8", "backslashreplace")
                line = Line(text[:TIME_LENGTH], file.stem, text[TIME_LENGTH + 1 :])
                line = understood(line)
                if wanted.fits(line):
                    found.append(line)
                    if len(found) == count:
                        return found
    return found


def _blocks(file: Path, most: int) -> Iterator[bytes]:
    """Whole lines, in blocks from the newest to the oldest, of about ``most`` bytes in all."""
    for path in (file, *(older(file, number) for number in range(1, FILES_KEPT + 1))):
        with suppress(FileNotFoundError), path.open("rb") as opened:
            at = opened.seek(0, os.SEEK_END)
            rest = b""
            while at > 0 and most > 0:
                step = min(at, _BLOCK)
                at -= step
                most -= step
                opened.seek(at)
                block = opened.read(step) + rest
                # What is before its first line's end belongs to a line that begins further up.
                cut = block.find(b"\n") + 1 if at else 0
                rest = block[:cut]
                yield block[cut:]
