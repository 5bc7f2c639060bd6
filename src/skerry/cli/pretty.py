"""JSON for eyes: indented and coloured, with every number as it was written.

``json.loads`` and ``json.dumps`` would do for most of it, but what is read as a float is rounded:
an app that says ``12345678901234567890.10`` is to be shown with that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from .output import tint

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_OPENING, _CLOSING = ("{", "["), ("}", "]")
_STEP = "  "
# Some terminals obey these as they do ESC, and json.dumps leaves them as they are.
_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
_COLOURS = {"key": "blue", "text": "green", "number": "cyan", "word": "magenta"}


def is_json(text: str) -> bool:
    """Whether ``text`` is one JSON value, nested no deeper than Python can read."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def indented(text: str, colour: bool = False) -> str:
    """The same JSON over several lines, as ``json.dumps(…, indent=2, ensure_ascii=False)`` would
    write it.

    Args:
        text: valid JSON.
    """
    return "".join(_pieces(_TOKEN.findall(text), colour))


def _pieces(tokens: list[str], colour: bool) -> Iterator[str]:
    depth = 0
    for before, token, after in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False):
        if token in _OPENING:
            depth += 1
            yield token
            if after not in _CLOSING:
                yield "\n" + _STEP * depth
        elif token in _CLOSING:
            depth -= 1
            if before not in _OPENING:
                yield "\n" + _STEP * depth
            yield token
        elif token == ",":
            yield ",\n" + _STEP * depth
        elif token == ":":
            yield ": "
        else:
            yield _value(token, after == ":", colour)


def _value(token: str, key: bool, colour: bool) -> str:
    if token[0] == '"':
        # Letters rather than escapes, but for what a terminal would obey.
        token = json.dumps(json.loads(token), ensure_ascii=False).translate(_CONTROLS)
    if not colour:
        return token
    if token[0] == '"':
        return tint(token, _COLOURS["key" if key else "text"])
    return tint(token, _COLOURS["word" if token in ("true", "false", "null") else "number"])
