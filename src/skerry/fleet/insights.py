"""What the instances tell of their insides: versions, stacks, and how those are doing.

Stacks do not change while an app runs, so they are told once; clients are told again when they
have changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from skerry.app.app import App
from skerry.app.insight import StackView, stacks
from skerry.stack.state import ClientState


class Told(Struct):
    """What a process says of one app in it.

    Attributes:
        stacks: None where they are as they were.
    """

    app: str
    version: str
    clients: list[ClientState]
    stacks: list[StackView] | None = None


class Teller:
    """The instance's side.

    Args:
        apps: by the names they have in the fleet; those not written with Skerry say nothing.
    """

    def __init__(self, apps: Sequence[tuple[str, Any]]) -> None:
        self._apps = [(name, app) for name, app in apps if isinstance(app, App)]
        self._whole = True
        self._last: list[Told] = []

    def news(self) -> list[Told]:
        """What is to be told; empty where that has been told already."""
        told = [Told(name, app.version, app.client_states()) for name, app in self._apps]
        if told == self._last:
            return []
        self._last = told
        if not self._whole:
            return told
        return [
            Told(said.app, said.version, said.clients, stacks(app))
            for said, (_, app) in zip(told, self._apps, strict=True)
        ]

    def told(self, heard: bool) -> None:
        """Whether the fleet has heard the last news; a fleet that has not is told all again."""
        self._whole = not heard
        if not heard:
            self._last = []


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
