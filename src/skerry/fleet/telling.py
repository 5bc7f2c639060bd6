"""The instance's side of ``insights``: looks at its apps, and says what is new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skerry.app.app import App
from skerry.app.insight import stacks

from .insights import Told


class Teller:
    """What is to be told.

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
