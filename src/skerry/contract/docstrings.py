"""What a class's docstring says of each of its fields, taken apart from what it says as a whole.

Google's and NumPy's ways of writing them; a document has a place for either kind of text.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from textwrap import dedent

_HEADING = re.compile(r"(?:Attributes|Fields|Members):\s*$")
_NUMPY = re.compile(r"(?:Attributes|Fields|Members)\s*$")
_ENTRY = re.compile(r"(\w+)(?: ?\([^()]*\))?:(?:\s+(.*))?$")
_NUMPY_ENTRY = re.compile(r"(\w+)(?:\s*:.*)?$")


def split(text: str, names: Collection[str]) -> tuple[str, dict[str, str]]:
    """A docstring without what it says of ``names``, and that by name.

    Entries of other names stay where they are, and so does a section that is not written as
    expected: nothing is lost.

    Args:
        text: as ``inspect.cleandoc`` leaves it.
    """
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if _HEADING.match(line):
            end = _end(lines, index + 1)
            return _without(lines, index, index + 1, end, _google(lines[index + 1 : end]), names)
        underlined = index + 1 < len(lines) and re.fullmatch(r"-{3,}\s*", lines[index + 1])
        if underlined and _NUMPY.match(line):
            end = _numpy_end(lines, index + 2)
            return _without(lines, index, index + 2, end, _numpy(lines[index + 2 : end]), names)
    return text, {}


_Entries = list[tuple[str, str, list[str]]]
"""Name (empty for what is no entry), text, and the lines as they stand."""


def _without(
    lines: list[str], head: int, start: int, end: int, entries: _Entries, names: Collection[str]
) -> tuple[str, dict[str, str]]:
    found: dict[str, str] = {}
    kept: list[str] = []
    for name, text, own in entries:
        if name in names and text and name not in found:
            found[name] = text
        else:
            kept += own
    if not found:
        return "\n".join(lines), {}
    heading = lines[head:start] if any(line.strip() for line in kept) else []
    rest = [*lines[:head], *heading, *(kept if heading else []), *lines[end:]]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(rest)).strip(), found


def _end(lines: list[str], start: int) -> int:
    """Where a section of indented lines ends."""
    for index in range(start, len(lines)):
        if lines[index].strip() and not lines[index].startswith((" ", "\t")):
            return index
    return len(lines)


def _numpy_end(lines: list[str], start: int) -> int:
    """Where the next underlined heading is."""
    for index in range(start, len(lines) - 1):
        if re.fullmatch(r"-{3,}\s*", lines[index + 1]) and lines[index].strip():
            return index
    return len(lines)


def _google(lines: list[str]) -> _Entries:
    whole = dedent("\n".join(lines)).split("\n") if lines else []
    found: _Entries = []
    for line, own in zip(whole, lines, strict=True):
        entry = _ENTRY.match(line)
        if entry:
            found.append((entry[1], entry[2] or "", [own]))
        elif found and (not line.strip() or line.startswith(" ")):
            _add(found, line, own)
        elif line.strip():
            found.append(("", "", [own]))
    return found


def _numpy(lines: list[str]) -> _Entries:
    found: _Entries = []
    for line in lines:
        entry = _NUMPY_ENTRY.match(line)
        if entry:
            found.append((entry[1], "", [line]))
        elif found and (not line.strip() or line.startswith(" ")):
            _add(found, line, line)
        elif line.strip():
            found.append(("", "", [line]))
    return found


def _add(found: _Entries, line: str, own: str) -> None:
    name, text, lines = found[-1]
    found[-1] = (name, f"{text} {line.strip()}".strip(), [*lines, own])
