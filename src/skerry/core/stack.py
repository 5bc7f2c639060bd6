"""A stack: filters in an order that has reasons, and keeps them.

What other libraries keep in comments ("must be above the timeout so that it sees timeouts") is
data here: a test checks it, ``skerry stack`` prints it, and changing the order without changing
the reason is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Generic

from .errors import ConfigError, nearest
from .service import Filter, Req, Res, Service, apply


@dataclass(frozen=True, slots=True)
class Slot(Generic[Req, Res]):
    """A place in a stack.

    Attributes:
        role: its name, and that of the filter's folder or file: ``retry``.
        because: why it stands where it stands, in one sentence.
        below: roles that must stand further out than this one.
        filter: what stands here; None where the place is kept for something that is not
            configured, or not written yet.
    """

    role: str
    because: str
    below: tuple[str, ...] = ()
    filter: Filter[Req, Res] | None = None


class Stack(Generic[Req, Res]):
    """An immutable list of slots, outermost first.

    Raises:
        ConfigError: a role stands twice, or further out than one it must be below.
    """

    __slots__ = ("slots",)

    def __init__(self, *slots: Slot[Req, Res]) -> None:
        seen: set[str] = set()
        roles = {slot.role for slot in slots}
        for slot in slots:
            if slot.role in seen:
                raise ConfigError(f"the stack has two slots named {slot.role!r}")
            for other in slot.below:
                if other in roles and other not in seen:
                    raise ConfigError(
                        f"{slot.role!r} must stand below {other!r} in the stack: {slot.because}"
                    )
            seen.add(slot.role)
        self.slots = slots

    def put(self, role: str, filter: Filter[Req, Res] | None) -> Stack[Req, Res]:
        """The same stack with ``filter`` in the slot ``role``; None empties it."""
        index = self._index(role)
        slots = list(self.slots)
        slots[index] = replace(slots[index], filter=filter)
        return Stack(*slots)

    def insert(self, slot: Slot[Req, Res], *, after: str) -> Stack[Req, Res]:
        """The same stack with a slot of one's own, directly below ``after``."""
        index = self._index(after) + 1
        return Stack(*self.slots[:index], slot, *self.slots[index:])

    def build(self, service: Service[Req, Res]) -> Service[Req, Res]:
        """``service`` seen through every filter; empty slots cost nothing."""
        for slot in reversed(self.slots):
            if slot.filter is not None:
                service = apply(slot.filter, service)
        return service

    def __iter__(self) -> Iterator[Slot[Req, Res]]:
        return iter(self.slots)

    def __getitem__(self, role: str) -> Slot[Req, Res]:
        return self.slots[self._index(role)]

    def _index(self, role: str) -> int:
        for index, slot in enumerate(self.slots):
            if slot.role == role:
                return index
        roles = [slot.role for slot in self.slots]
        raise ConfigError(f"the stack has no slot named {role!r}.{nearest(role, roles)}")
