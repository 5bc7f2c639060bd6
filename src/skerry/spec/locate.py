"""Which line of a TOML document a key stands on.

``tomllib`` says what a document means and forgets where it said so. This module walks the same
text again and remembers only that: it knows TOML's brackets, quotes and dots, and nothing of
its values. It runs after ``tomllib`` has accepted the text; on any other text it still ends,
raises nothing, and knows as much as it could make out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

KeyPath = tuple[str | int, ...]

# Deeper than this nothing is remembered: paths of n keys at n depths are n² of memory.
_DEPTH = 40

_BLANK = re.compile(r"[ \t]*")
_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^\n#,\]}]*")
_REST = re.compile(r"[^\n]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:[^"\\\n]|\\[^\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


def locate(text: str) -> dict[KeyPath, int]:
    """Every table, key and array item of the document → the 1-based line it begins on."""
    return _Walk(text.replace("\r\n", "\n")).document()


def line_of(lines: Mapping[KeyPath, int], where: KeyPath) -> int:
    """The line of a key, or of the nearest thing around it that has one; 1 for the document."""
    for length in range(len(where), 0, -1):
        line = lines.get(where[:length])
        if line is not None:
            return line
    return 1


def dotted(where: KeyPath) -> str:
    """A key path as a person writes it: ``apps.quotes.needs[1]``, ``routes."/a"``."""
    out = ""
    for part in where:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            word = part if _BARE.fullmatch(part) else '"' + part.replace('"', '\\"') + '"'
            out += f".{word}" if out else word
    return out


class _Walk:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._counted = 0
        self._line = 1
        self._tables: dict[KeyPath, int] = {}  # arrays of tables → index of the last one

    def document(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while True:
            self._skip(_SPACE)
            if self.at >= len(self.text):
                return self.lines
            before = self.at
            if self.text.startswith("[", self.at):
                table = self._header()
            elif (key := self._key()) is not None and self._take("="):
                self._value(self._note(table, key, self._line_at(before)))
            self._skip(_REST)  # of the line: a comment, or whatever was not understood

    def _header(self) -> KeyPath:
        line = self._line_at(self.at)
        many = self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        key = self._key() or ()
        base: KeyPath = ()
        for part in key[:-1]:
            base = self._inside(_below(base, part))
            self.lines.setdefault(base, line)
        if not key:
            return base
        last: KeyPath = _below(base, key[-1])
        if not many:
            last = self._inside(last)
            self.lines.setdefault(last, line)
            return last
        index = self._tables[last] = self._tables.get(last, -1) + 1
        self.lines.setdefault(last, line)
        item = _below(last, index)
        self.lines[item] = line
        return item

    def _inside(self, table: KeyPath) -> KeyPath:
        """A name that stands for an array of tables means its last table."""
        return _below(table, self._tables[table]) if table in self._tables else table

    def _note(self, base: KeyPath, key: tuple[str, ...], line: int) -> KeyPath:
        for part in key:
            base = _below(base, part)
            self.lines.setdefault(base, line)
        return base

    def _value(self, where: KeyPath) -> None:
        """Walk one value; a stack of open brackets instead of recursion, so depth is free."""
        # Each entry: where the bracket's content belongs, and the array's next index or None
        # for an inline table.
        opened: list[tuple[KeyPath, int | None]] = []
        while True:
            self._skip(_SPACE if opened else _BLANK)
            if self.text.startswith(("[", "{"), self.at):
                opened.append((where, 0 if self.text[self.at] == "[" else None))
                self.at += 1
            elif not self._skip(_STRING):
                self._skip(_SCALAR)
            item = self._next_item(opened)
            if item is None:
                return
            where = item

    def _next_item(self, opened: list[tuple[KeyPath, int | None]]) -> KeyPath | None:
        """The path of the value that comes next; None when every bracket is closed."""
        while opened:
            base, index = opened[-1]
            self._skip(_SPACE)
            if self._take(","):
                self._skip(_SPACE)
            if self.at >= len(self.text):
                return None
            if self.text[self.at] in "]}":
                self.at += 1
                opened.pop()
                continue
            if index is not None:
                opened[-1] = (base, index + 1)
                return self._note_item(_below(base, index))
            line = self._line_at(self.at)
            key = self._key()
            if key is not None and self._take("="):
                return self._note(base, key, line)
            self.at += 1  # not TOML: step over it
        return None

    def _note_item(self, item: KeyPath) -> KeyPath:
        self.lines.setdefault(item, self._line_at(self.at))
        return item

    def _key(self) -> tuple[str, ...] | None:
        """A dotted key; None if there is none here."""
        parts = list(self._key_parts())
        return tuple(parts) if parts else None

    def _key_parts(self) -> Iterator[str]:
        while True:
            self._skip(_BLANK)
            match = _BARE.match(self.text, self.at) or _STRING.match(self.text, self.at)
            if match is None:
                return
            self.at = match.end()
            yield _unquoted(match.group())
            if not self._take("."):
                return

    def _take(self, mark: str) -> bool:
        self._skip(_BLANK)
        if self.text.startswith(mark, self.at):
            self.at += len(mark)
            return True
        return False

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self.text, self.at)
        if match is None:
            return False
        self.at = match.end()
        return True

    def _line_at(self, at: int) -> int:
        """The line of an offset; offsets only grow, so the text is counted once."""
        self._line += self.text.count("\n", self._counted, at)
        self._counted = at
        return self._line


def _below(base: KeyPath, part: str | int) -> KeyPath:
    return (*base, part) if len(base) < _DEPTH else base


def _unquoted(token: str) -> str:
    if token.startswith("'"):
        return token[1:-1]
    if token.startswith('"'):
        return _ESCAPE.sub(_unescaped, token[1:-1])
    return token


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if code:
        number = int(code, 16)
        return chr(number) if number < 0x110000 else "\ufffd"
    return _ESCAPED.get(match[3], match[3])
