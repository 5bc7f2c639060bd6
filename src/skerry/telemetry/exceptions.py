"""An exception as spans tell of it: its type, what it said, its stack, and the variables of the
app's own frames, as far as they are no secrets."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

from .redaction import shown, without_secrets

LONGEST = 16_384
"""Characters of a message, of a stack, and of all variables."""

_FRAMES = 3
_OURS = str(Path(__file__).parents[1]) + os.sep
_LIBRARIES = ("site-packages", "dist-packages", os.path.dirname(os.__file__) + os.sep)


def type_of(error: BaseException) -> str:
    """Its type's name, with the module where that is not known to everybody."""
    kind = type(error)
    if kind.__module__ in ("builtins", "__main__"):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def told(error: BaseException) -> dict[str, str]:
    """Attributes of an ``exception`` event, by OpenTelemetry's conventions; and
    ``skerry.locals``, where code of the app's own was involved."""
    found = {"exception.type": type_of(error), "exception.message": message(error)}
    stack = "".join(traceback.format_exception(error))[-LONGEST:]
    found["exception.stacktrace"] = without_secrets(stack)
    variables = local(error)
    if variables:
        found["skerry.locals"] = variables
    return found


def local(error: BaseException) -> str:
    """The variables of an exception's innermost frames, short and without what is secret: of the
    frames in the app's own code, because libraries hold a request in many places."""
    frames = []
    cursor = error.__traceback__
    while cursor is not None:
        if not _is_library(cursor.tb_frame.f_code.co_filename):
            frames.append(cursor.tb_frame)
        cursor = cursor.tb_next
    lines = []
    for frame in frames[-_FRAMES:]:
        code = frame.f_code
        lines.append(f"{code.co_filename}:{frame.f_lineno} {code.co_name}")
        lines += [f"    {name} = {shown(name, value)}" for name, value in frame.f_locals.items()]
    return "\n".join(lines)[:LONGEST]


def message(error: BaseException) -> str:
    """What it says, without what is secret."""
    try:
        return without_secrets(str(error)[:LONGEST])
    except Exception as fault:  # somebody's __str__
        return f"<its str raised {type(fault).__name__}>"


def _is_library(file: str) -> bool:
    return file.startswith(("<", _OURS)) or any(place in file for place in _LIBRARIES)
