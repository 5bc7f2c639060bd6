"""Laying out Python text as its formatters do, so that running one afterwards changes nothing.

Only what generated modules need: brackets that are split when a line is too long, and
docstrings. The rules are those of Black's stable style, which ruff follows.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

INDENT = "    "


@dataclass(frozen=True, slots=True)
class Group:
    """Text in brackets that may be split.

    Attributes:
        head: up to and with the opening bracket.
        items: what is between, without commas.
        tail: from the closing bracket on.
        literal: a list, dict or tuple of its own, which is never split half-way: either all on
            one line or one item a line.
        separator: between items; ``|`` stands at the beginning of lines, a comma at the end.
    """

    head: str
    items: tuple[Text, ...]
    tail: str
    literal: bool = False
    separator: str = ", "

    def __str__(self) -> str:
        return f"{self.head}{self.separator.join(map(str, self.items))}{self.tail}"


Text = str | Group


def group(head: str, items: Sequence[Text], tail: str, *, literal: bool = False) -> Group:
    return Group(head, tuple(items), tail, literal)


def lay(text: Text, depth: int, width: int, after: str = "") -> list[str]:
    """The lines of ``text``.

    Args:
        depth: of its indentation.
        width: of a line, at most, where that can be had.
        after: what must still follow on the last line.
    """
    pad = INDENT * depth
    line = f"{pad}{text}{after}"
    if len(line) <= width or isinstance(text, str) or not text.items:
        return [line]
    inner = text.separator.join(map(str, text.items))
    if not text.literal and len(pad) + len(INDENT) + len(inner) <= width:
        if "def " in text.head and len(text.items) == 1:
            inner += ","
        return [f"{pad}{text.head}", f"{pad}{INDENT}{inner}", f"{pad}{text.tail}{after}"]
    lines = [f"{pad}{text.head}"]
    for index, item in enumerate(text.items):
        if text.separator == " | ":
            lines += lay(item if index == 0 else _barred(item), depth + 1, width)
        else:
            comma = "" if text.head.endswith("[") and len(text.items) == 1 else ","
            lines += lay(item, depth + 1, width, comma)
    return [*lines, f"{pad}{text.tail}{after}"]


def _barred(item: Text) -> Text:
    if isinstance(item, str):
        return f"| {item}"
    return Group(f"| {item.head}", item.items, item.tail, item.literal, item.separator)


def assign(left: str, right: str, depth: int, width: int) -> list[str]:
    """``left = right``, with ``right`` on a line of its own where that makes both fit."""
    pad = INDENT * depth
    line = f"{pad}{left} = {right}"
    inner = f"{pad}{INDENT}{right}"
    if len(line) <= width or len(inner) > width or len(pad) + len(left) + 4 > width:
        return [line]
    return [f"{pad}{left} = (", inner, f"{pad})"]


def quoted(text: str) -> str:
    """A string literal as formatters write it: in double quotes unless that needs more
    backslashes."""
    plain = repr(text)
    if plain.startswith("'") and '"' not in text:
        return '"' + plain[1:-1].replace("\\'", "'") + '"'
    if plain.startswith("'") and '"' in text and "'" in text:
        return '"' + plain[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'
    return plain


def docstring(blocks: Sequence[str], depth: int) -> list[str]:
    """A docstring of paragraphs, each already lines; nothing where there is nothing to say."""
    text = "\n\n".join(block for block in blocks if block)
    if not text:
        return []
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    pad = INDENT * depth
    if text.endswith('"'):
        text = text[:-1] + '\\"'
    if "\n" not in text:  # however long: the quotes stay on its line
        return [f'{pad}"""{text}"""']
    first, _, others = text.partition("\n")
    return [
        f'{pad}"""{first}',
        *(f"{pad}{line}" if line else "" for line in textwrap.dedent(others).split("\n")),
        f'{pad}"""',
    ]


def entry(name: str, text: str, width: int) -> str:
    """One line of a docstring's list: ``name: what it is``, wrapped with a hanging indent."""
    first, *rest = prose(f"{name}: {text}", width - len(INDENT) * 2).split("\n")
    return "\n".join(
        [f"{INDENT}{first}", *(f"{INDENT * 2}{line}" if line else "" for line in rest)]
    )


def prose(text: str, width: int) -> str:
    """Text from a contract, wrapped: paragraphs are filled; lists, tables, code and the sections
    of docstrings keep their lines, unless one is too long."""
    writer = _Prose(width)
    for line in textwrap.dedent(_clean(text)).rstrip().split("\n"):
        writer.add(line)
    writer.flush()
    return "\n".join(writer.out).rstrip().lstrip("\n")


_LISTED = re.compile(r"([-*+•]|\d+[.)]|#{1,6}|>)\s")


class _Prose:
    """Puts lines together into blocks, and writes each as its kind wants it."""

    def __init__(self, width: int) -> None:
        self.out: list[str] = []
        self._width = width
        self._block: list[str] = []
        self._keeping = False  # list items and indented lines: not a paragraph
        self._fenced = False
        self._section = False  # below a line that ends with a colon
        self._entries = False  # below an underlined heading, as NumPy's docstrings have them

    def add(self, line: str) -> None:
        line = line.rstrip()
        bare = line.strip()
        if _depth(line) == 1 and not self._fenced:  # a slip; nobody indents by one
            line = bare
        if bare.startswith(("```", "~~~")):
            self.flush()
            self._fenced = not self._fenced
            self.out.append(bare)
        elif self._fenced or bare.startswith("|"):
            self.flush()
            self.out.append(line)
        elif not bare:
            self.flush()
            self._section = self._entries = False
            if self.out and self.out[-1]:
                self.out.append("")
        elif re.fullmatch(r"-{3,}|={3,}", bare) and len(self._block) == 1:
            self._block.append(line)
            self._keeping = self._entries = True
            self.flush()
        else:
            self._add_text(line, bare)

    def _add_text(self, line: str, bare: str) -> None:
        listed = _LISTED.match(bare)
        depth = _depth(line)
        if self._block:
            first = self._block[0]
            deeper = depth > _depth(first)
            heads = deeper and not self._keeping and self._block[-1].endswith(":")
            entry = self._entries and (deeper or depth == 0)
            if listed or heads or entry or (self._keeping and not deeper and not self._entries):
                self.flush()
                self._section = self._section or heads
        if not self._block:
            self._keeping = bool(listed) or depth > 0 or self._entries
        self._block.append(line)

    def flush(self) -> None:
        block, self._block = self._block, []
        if not block:
            return
        fits = all(len(line) <= self._width for line in block)
        if self._keeping and fits:
            self.out += block
            return
        depth = _depth(block[0])
        hang = ""
        if self._keeping:
            hanging = self._section and not self._entries and depth
            usual = 2 if _LISTED.match(block[0].strip()) else 4 if hanging else 0
            more = _depth(block[1]) - depth if len(block) > 1 else usual
            hang = " " * (depth + more)
        text = " ".join(line.strip() for line in block)
        self.out += _fill(text, self._width, " " * depth if self._keeping else "", hang)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _fill(text: str, width: int, indent: str, hang: str) -> list[str]:
    return textwrap.wrap(
        text,
        max(width, 30),
        initial_indent=indent,
        subsequent_indent=hang,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _clean(text: str) -> str:
    """Without control characters and without HTML, which some contracts are written in."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4)
    if re.search(r"</[a-z]+>|<br ?/?>", text):
        text = re.sub(r"</?(p|br|ul|ol|div|h\d)\b[^>]*>", "\n", text)
        text = re.sub(r"<li\b[^>]*>", "\n- ", text)
        text = re.sub(r"</?code\b[^>]*>", "`", text)
        text = html.unescape(re.sub(r"</?[a-zA-Z][^>]*>", "", text))
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def summary(text: str, width: int) -> tuple[str, str]:
    """The first sentence or line of a text, on one line where it fits, and the rest."""
    text = _clean(text).strip()
    found = re.search(r"\n\s*\n|\n\s*(?=([-*+•]|\d+[.)]|#{1,6}|>|\||```)\s?)", text)
    first, rest = (text[: found.start()], text[found.end() :]) if found else (text, "")
    first = " ".join(first.split())
    if len(first) > width:
        sentence = re.match(r"(.{10,}?[.!?])\s+(?=[A-Z`\[(])", first)
        if sentence and len(sentence.group(1)) <= width:
            return sentence.group(1), f"{first[sentence.end() :]}\n\n{rest}".strip()
    return first, rest.rstrip().lstrip("\n")
