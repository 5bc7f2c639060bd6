"""What a discovery is: something that knows where an app's instances are, and when that changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from skerry.core.instance import Address

Callback: TypeAlias = Callable[[tuple[Address, ...]], object]


class Watch(Protocol):
    """The instances of one app, as they come and go."""

    @property
    def current(self) -> tuple[Address, ...]:
        """Those known now; the last known ones while whoever knows is out of reach."""

    @property
    def fixed(self) -> bool:
        """Whether they never change, so that waiting for one is of no use."""

    def subscribe(self, callback: Callback, /) -> Callable[[], None]:
        """Call ``callback`` with all of them at each change, in the watch's event loop; returns
        what ends that."""

    def why_empty(self) -> str:
        """Where they would have come from, for whoever wonders that there is none."""


class Discovery(Protocol):
    """Knows the instances of apps."""

    def watch(self, app: str, /) -> Watch: ...

    def check(self, app: str, /) -> None:
        """Raise at start what ``watch`` would raise at the first call.

        Raises:
            ConfigError: an address of ``app`` is malformed.
        """

    async def close(self) -> None:
        """Watch no longer; what is known stays known."""


class Hub:
    """A ``Watch`` whose content someone else sets: the part that all drivers share."""

    __slots__ = ("_callbacks", "_why", "current", "fixed")

    def __init__(
        self, current: Sequence[Address] = (), *, fixed: bool = False, why_empty: str = ""
    ) -> None:
        self.current = tuple(current)
        self.fixed = fixed
        self._why = why_empty
        self._callbacks: list[Callback] = []

    def set(self, addresses: Sequence[Address]) -> None:
        """Tell subscribers, if anything has changed."""
        addresses = tuple(addresses)
        if addresses != self.current:
            self.current = addresses
            for callback in tuple(self._callbacks):
                callback(addresses)

    def subscribe(self, callback: Callback, /) -> Callable[[], None]:
        self._callbacks.append(callback)

        def unsubscribe() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return unsubscribe

    def why_empty(self) -> str:
        return self._why
