"""A stack as a table, for people and for programs that print it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from skerry.core.stack import Slot, Stack

from .edit import called


class Row(Struct, frozen=True):
    """A slot as people read it.

    Attributes:
        half: of a client, ``call`` (once for each call), ``between`` or ``instance`` (once for
            each attempt); of a server, ``server``; of a handler, ``consumer``.
        filter: what stands there and how it is set; empty where nothing does.
        below: what must stand further out.
        because: why it stands where it stands.
    """

    half: str
    role: str
    filter: str
    below: tuple[str, ...]
    because: str


def rows(half: str, stack: Stack[Any, Any]) -> list[Row]:
    """One row for each slot, outermost first, empty ones among them."""
    return [Row(half, slot.role, _shown(slot), slot.below, slot.because) for slot in stack]


def _shown(slot: Slot[Any, Any]) -> str:
    return "" if slot.filter is None else called(slot.filter)
