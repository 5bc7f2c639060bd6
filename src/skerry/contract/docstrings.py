"""Docstrings taken apart: what they say as a whole, of each field, of each argument.

Google's and NumPy's ways of writing them, and Sphinx's for functions; a document has a place for
each kind of text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from inspect import cleandoc
from textwrap import dedent

_FIELDS = ("Attributes", "Fields", "Members")
_ARGUMENTS = (
    *("Args", "Arguments", "Parameters", "Params"),
    *("Keyword Args", "Keyword Arguments", "Other Parameters"),
)
_RETURNS = ("Return", "Returns", "Yield", "Yields")
_OTHERS = ("Raise", "Raises", "Warns")
_ENTRY = re.compile(r"(\w+)(?: ?\([^()]*\))?:(?:\s+(.*))?$")
_NUMPY_ENTRY = re.compile(r"(\w+)(?:\s*:.*)?$")
_UNDERLINE = re.compile(r"-{3,}\s*")
_SPHINX = re.compile(
    r"(?m)^:(?P<kind>param|parameter|arg|argument|key|keyword|type|raises?|except|exception"
    r"|returns?|rtype|yields?)(?P<what> [^:]*)?:\s*(?P<text>.*(?:\n[ \t]+\S.*)*)\n?"
)


@dataclass(frozen=True, slots=True)
class Doc:
    """What a function's docstring says, for those who call it over the wire.

    Attributes:
        summary: its first sentence, on one line.
        description: the rest, without the sections that have a place of their own.
        parameters: of each argument, by name.
        returns: of what comes back.
    """

    summary: str = ""
    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    returns: str = ""


def describe(docstring: str | None) -> Doc:
    """A function's docstring, taken apart.

    What it raises is left out: of that, callers see the declared problems, which have docstrings
    of their own. A heading without anything under it stays where it is.
    """
    text, parameters, returns = _without_sphinx(cleandoc(docstring or ""))
    lines = text.split("\n")
    for section in [*_sections(lines, (*_ARGUMENTS, *_RETURNS, *_OTHERS))][::-1]:
        if section.title in _ARGUMENTS:
            entries = section.entries(lines)
            parameters |= {name: said for name, said, _ in entries if name and said}
        elif section.title in _RETURNS:
            returns = section.prose(lines)
        del lines[section.head : section.end]
    first = next((i for i, line in enumerate(lines, 1) if _ends(line)), len(lines))
    summary = " ".join(line.strip() for line in lines[:first]).strip()
    return Doc(summary, _tidy(lines[first:]), parameters, returns)


def split(text: str, names: Collection[str]) -> tuple[str, dict[str, str]]:
    """A class's docstring without what it says of ``names``, and that by name.

    Entries of other names stay where they are, and so does a section that is not written as
    expected: nothing is lost.

    Args:
        text: as ``inspect.cleandoc`` leaves it.
    """
    lines = text.split("\n")
    section = next(_sections(lines, _FIELDS), None)
    if section is None:
        return text, {}
    found: dict[str, str] = {}
    kept: list[str] = []
    for name, said, own in section.entries(lines):
        if name in names and said and name not in found:
            found[name] = said
        else:
            kept += own
    if not found:
        return text, {}
    heading = lines[section.head : section.start] if any(line.strip() for line in kept) else []
    rest = [*lines[: section.head], *heading, *(kept if heading else []), *lines[section.end :]]
    return _tidy(rest), found


_Entries = list[tuple[str, str, list[str]]]
"""Name (empty for what is no entry), text, and the lines as they stand."""


@dataclass(frozen=True, slots=True)
class _Section:
    """Lines ``head`` to ``end`` of a docstring; what is under the heading begins at ``start``."""

    title: str
    head: int
    start: int
    end: int
    underlined: bool

    def entries(self, lines: list[str]) -> _Entries:
        own = lines[self.start : self.end]
        return _numpy(own) if self.underlined else _google(own)

    def prose(self, lines: list[str]) -> str:
        """What is under the heading, on one line; without the type that NumPy's way begins with."""
        own = [line for line in lines[self.start : self.end] if line.strip()]
        indented = [line for line in own if line.startswith((" ", "\t"))]
        return " ".join(line.strip() for line in indented or own)


def _sections(lines: list[str], titles: Collection[str]) -> Iterator[_Section]:
    end = 0
    for index, line in enumerate(lines):
        title = line.rstrip()
        if index < end or title.removesuffix(":") not in titles:
            continue
        if title.endswith(":"):
            start, underlined, end = index + 1, False, _end(lines, index + 1)
        elif _UNDERLINE.fullmatch("".join(lines[index + 1 : index + 2])):
            start, underlined, end = index + 2, True, _numpy_end(lines, index + 2)
        else:
            continue
        if any(line.strip() for line in lines[start:end]):
            yield _Section(title.removesuffix(":"), index, start, end, underlined)


def _end(lines: list[str], start: int) -> int:
    """Where a section of indented lines ends."""
    for index in range(start, len(lines)):
        if lines[index].strip() and not lines[index].startswith((" ", "\t")):
            return index
    return len(lines)


def _numpy_end(lines: list[str], start: int) -> int:
    """Where the next underlined heading is."""
    for index in range(start, len(lines) - 1):
        # At the margin: what is indented is somebody's text, whatever stands below it.
        if _UNDERLINE.fullmatch(lines[index + 1]) and lines[index][:1].strip():
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


def _without_sphinx(text: str) -> tuple[str, dict[str, str], str]:
    """``:param x: …`` and its like out of a text: (the rest, arguments by name, returns)."""
    parameters: dict[str, str] = {}
    returns = ""

    def take(match: re.Match[str]) -> str:
        nonlocal returns
        said, words = " ".join(match["text"].split()), (match["what"] or "").split()
        if match["kind"].startswith(("return", "yield")):
            returns = said
        elif match["kind"].startswith(("param", "arg", "key")) and words and said:
            parameters[words[-1]] = said
        return ""

    rest = _SPHINX.sub(take, text)
    return rest, parameters, returns


def _ends(line: str) -> bool:
    """Whether a summary ends with a line: its sentence does, or its paragraph."""
    return not line.strip() or line.rstrip().endswith((".", "!", "?", ":"))


def _tidy(lines: list[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
