"""How an app's calls to others are set: for all of them, and for each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from skerry.core.errors import ConfigError, nearest
from skerry.stack.client import ClientSettings, check


class Calls:
    """Settings of an app's clients, and whether there is such a client at all.

    Args:
        app: who calls.
        default: of calls to whoever has no settings of its own.

    Attributes:
        by_app: settings of some, by the name of who is called.
        known: whoever can be called, as far as ``check`` has been told.
    """

    def __init__(self, app: str, default: ClientSettings | None) -> None:
        self.default = default or ClientSettings()
        self.by_app: dict[str, ClientSettings] = {}
        self._app = app
        self._made: set[str] = set()
        self.known: frozenset[str] = frozenset()
        check(self.default)

    def made(self, other: str) -> None:
        """A client without a file is there."""
        self._made.add(other)
        self.known |= {other}

    def set(self, other: str | type[Any], settings: ClientSettings) -> None:
        name = other if isinstance(other, str) else getattr(other, "__app__", "")
        if not name:
            raise ConfigError(f"{self._app}: {other!r} is no client of an app")
        if name in self.by_app:
            raise ConfigError(f"{self._app}: it is said twice how {name!r} is called")
        check(settings)
        self.by_app[name] = settings

    def check(self, injected: Iterable[Any]) -> None:
        """Refuse settings of what is never called.

        Args:
            injected: the types that functions ask for.
        """
        known = self._made.union(kind.__app__ for kind in injected if hasattr(kind, "__app__"))
        self.known = frozenset(known)
        for name in self.by_app.keys() - known:
            raise ConfigError(
                f"{self._app}: it is said how {name!r} is called, but no function takes a client "
                f"of it, and no module makes one with app.client().{nearest(name, known)}"
            )
