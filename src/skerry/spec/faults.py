"""Errors of ``fleet.toml``: all at once, each with its line, its key and the nearest valid word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from skerry.core.errors import ConfigError

from .locate import KeyPath, dotted, line_of


@dataclass(frozen=True, slots=True)
class SpecFault:
    """One thing wrong.

    Attributes:
        line: 1-based; None when the file as a whole is meant.
        key: where in the document, ``apps.quotes.needs[1]``; empty for the whole.
        detail: what is wrong and what would be right.
    """

    line: int | None
    key: str
    detail: str


class SpecError(ConfigError):
    """The fleet file cannot be used.

    Attributes:
        file: the file.
        faults: everything wrong with it, in the order of its lines.
    """

    def __init__(self, file: Path, faults: Iterable[SpecFault]) -> None:
        self.file = file
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.line or 0, fault.key)))
        super().__init__("\n".join(map(self._format, self.faults)))

    def _format(self, fault: SpecFault) -> str:
        where = str(self.file) if fault.line is None else f"{self.file}:{fault.line}"
        return f"{where}: {fault.key}: {fault.detail}" if fault.key else f"{where}: {fault.detail}"


class Faults:
    """Collects faults while a document is checked.

    Args:
        lines: what ``locate`` says about the document.
    """

    def __init__(self, lines: Mapping[KeyPath, int]) -> None:
        self.found: list[SpecFault] = []
        self._lines = lines

    def add(self, where: KeyPath, detail: str) -> None:
        self.found.append(SpecFault(line_of(self._lines, where), dotted(where), detail))

    def knows(self, where: KeyPath) -> bool:
        """Whether the document has such a key."""
        return where in self._lines


def nearest(word: str, words: Iterable[str]) -> str:
    """What to say after "no such word": `` (did you mean "needs"?)``, or all there are."""
    known = sorted(words)
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    if close:
        return f' (did you mean "{close[0]}"?)'
    if not known:
        return ""
    shown = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return f" (there is {shown})" if len(known) == 1 else f" (there are {shown})"
