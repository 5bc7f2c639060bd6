"""The handlers of an app as its contract has them."""

from __future__ import annotations

from collections.abc import Iterable

from skerry.contract.docstrings import describe
from skerry.contract.operation import Reception

from .handlers import HandlerDeclaration


def receptions(handlers: Iterable[HandlerDeclaration]) -> tuple[Reception, ...]:
    """What handlers hear. Ticks are between an app and itself, and in no contract."""
    found = []
    for declared in handlers:
        if declared.schedule is None:
            said = describe(declared.function.__doc__)
            found.append(Reception(declared.name, declared.events, said.summary, said.description))
    return tuple(found)
