"""What the instances tell of their insides: versions, stacks, and how those are doing.

Stacks do not change while an app runs, so they are told once; clients are told again when they
have changed.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from skerry.stack.state import ClientState, StackView


class Told(Struct):
    """What a process says of one app in it.

    Attributes:
        stacks: None where they are as they were.
    """

    app: str
    version: str
    clients: list[ClientState]
    stacks: list[StackView] | None = None


class Insights:
    """The fleet's side: what was told last, by process and app."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], Told] = {}

    def tell(self, process: str, told: Sequence[Told]) -> None:
        for said in told:
            before = self._told.get((process, said.app))
            if said.stacks is None and before is not None:
                said.stacks = before.stacks
            self._told[process, said.app] = said

    def ended(self, process: str) -> None:
        """Whatever it has told is over."""
        for key in [key for key in self._told if key[0] == process]:
            del self._told[key]

    def version(self, process: str, app: str) -> str:
        """The version of an app in a process; empty while it has told none."""
        said = self._told.get((process, app))
        return "" if said is None else said.version

    def of(self, process: str, app: str) -> Told | None:
        return self._told.get((process, app))
