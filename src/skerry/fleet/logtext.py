"""A line of a log as people read it. Verbs import this: it is the standard library alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_STACKS = ("exception", "exc_info", "stack", "stack_trace", "stacktrace", "error.stack_trace")
_COLOURS = {"debug": 2, "info": 36, "warning": 33, "error": 31, "critical": 31}
_DIM = 2
# What a terminal would obey, in what others were given to log; line ends and tabs are harmless.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_CLEAR = re.compile(r"[^\s\"=]+")


def readable(line: Mapping[str, Any], colour: bool = False) -> str:
    """What one prints: a line of text as it is; of a line of JSON level, logger, message, fields
    and trace, and its stack on lines of its own.

    Args:
        line: as the control API has it.
    """
    level, fields = line.get("level", ""), line.get("fields") or {}
    if not (level or fields or line.get("logger") or line.get("trace")):
        return str(line["text"])
    said = [_safe(line["text"])]
    if line.get("logger"):
        said.insert(0, _tint(f"{_safe(line['logger'])}:", _DIM, colour))
    if level:
        said.insert(0, _tint(f"{level.upper():<7}", _COLOURS.get(level, _DIM), colour))
    stacks = [_safe(fields[name]) for name in _STACKS if _is_stack(fields.get(name))]
    for name, value in fields.items():
        if not (name in _STACKS and _is_stack(value)):
            said.append(_tint(f"{_safe(name)}=", _DIM, colour) + _safe(shown(value)))
    if line.get("trace"):
        said.append(_tint(f"[{line['trace'][:8]}]", _DIM, colour))
    return "\n".join([" ".join(said), *(stack.rstrip("\n") for stack in stacks)])


def shown(value: Any) -> str:
    """A field's value: quoted where it would not be clear where it ends."""
    if isinstance(value, str) and _CLEAR.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _is_stack(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _safe(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _tint(text: str, colour: int, wanted: bool) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if wanted else text
