"""What an exception says, for people who do not have the code before them.

An ``assert`` without a message says nothing outside of pytest. Here it says its own line and
what the names in it stood for.
"""

from __future__ import annotations

import ast
import linecache
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from skerry.core.errors import Problem

from .model import Failure

_LONGEST = 120  # characters of a value
_FRAMES = 12
_MISSING = object()


def message(error: BaseException) -> str:
    """What is wrong, in a line or a few; never empty."""
    if isinstance(error, AssertionError) and error.__traceback__ is not None:
        if said := str(error):
            return said
        return _assertion(error.__traceback__) or "an assertion failed"
    if isinstance(error, Problem):
        said = str(error) or error.title
        return f"{error.answered_by}: {said}" if error.answered_by else said
    return str(error) or type(error).__name__


def failure(error: BaseException, file: str, step: str) -> Failure:
    """``error`` as a value.

    Args:
        file: the journey's, whose line is named and where the stack begins.
    """
    found = traceback.extract_tb(error.__traceback__)
    own = [number for number, frame in enumerate(found) if frame.filename == file]
    where = ""
    if own:
        where = f"{file.rpartition('/')[2]}:{found[own[-1]].lineno}"
    frames = found[own[0] :] if own else found
    lines = traceback.format_list(frames[:_FRAMES])
    lines += traceback.format_exception_only(type(error), error)
    return Failure(type(error).__name__, message(error), step, where, "".join(lines))


def _assertion(where: TracebackType) -> str:
    """The line of the ``assert`` that failed, and the values in it."""
    while where.tb_next is not None:
        where = where.tb_next
    frame, line = where.tb_frame, where.tb_lineno
    code = "".join(linecache.getlines(frame.f_code.co_filename, frame.f_globals))
    source = _statement(code, line)
    if source is None:
        return linecache.getline(frame.f_code.co_filename, line).strip()
    names = {**frame.f_globals, **frame.f_locals}
    values: dict[str, str] = {}
    for node in ast.walk(source.test):
        value = _value(node, names)
        if value is not _MISSING and not callable(value) and not isinstance(node, ast.Constant):
            values[_written(code, node)] = _shown(value)
    # Of payment.state, payment itself is of no interest.
    inner = {
        _written(code, node.value)
        for node in ast.walk(source.test)
        if isinstance(node, ast.Attribute | ast.Subscript)
    }
    told = [f"{name} is {value}" for name, value in values.items() if name not in inner]
    text = _written(code, source)
    return f"{text}, where {' and '.join(told)}" if told else text


def _written(code: str, node: ast.AST) -> str:
    """A part of the code as it stands there, in one line."""
    return " ".join((ast.get_source_segment(code, node) or ast.unparse(node)).split())


def _statement(code: str, line: int) -> ast.Assert | None:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return None
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert) and node.lineno <= line <= (node.end_lineno or line)
    ]
    return found[-1] if found else None


def _value(node: ast.AST, names: Mapping[str, Any]) -> Any:
    """What a name, or a field of it, stood for. Nothing is called to find out but a property."""
    try:
        if isinstance(node, ast.Name):
            return names.get(node.id, _MISSING)
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Attribute):
            owner = _value(node.value, names)
            return _MISSING if owner is _MISSING else getattr(owner, node.attr, _MISSING)
        if isinstance(node, ast.Subscript):
            owner, key = _value(node.value, names), _value(node.slice, names)
            return _MISSING if _MISSING in (owner, key) else owner[key]
    except Exception:
        return _MISSING
    return _MISSING


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
