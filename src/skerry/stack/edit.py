"""Stacks of one's own making: an edit is a function from the stack that there is to another.

It is called for each stack that is made, so a filter that keeps state of one instance, or of one
endpoint, is made inside the function; one that all are to share, outside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from skerry.core.errors import ConfigError
from skerry.core.stack import Stack
from skerry.core.wire import Request, Response

Edit: TypeAlias = Callable[[Stack[Request, Response]], Stack[Request, Response]]


def edited(stack: Stack[Request, Response], edit: Edit | None) -> Stack[Request, Response]:
    """``stack`` as ``edit`` makes it.

    Raises:
        ConfigError: it makes no stack, names a slot that is not there, or breaks the order.
    """
    if edit is None:
        return stack
    made = edit(stack)
    if not isinstance(made, Stack):
        raise ConfigError(f"{called(edit)} must return the stack that it makes, not {made!r}")
    return made


def called(it: object) -> str:
    """What people call it: the name of a function, anything else as it shows itself."""
    name = getattr(it, "__qualname__", None)
    return f"{getattr(it, '__module__', '')}.{name}" if name else repr(it)
