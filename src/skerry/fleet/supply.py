"""Backings as processes of the fleet: started before the apps, and waited for by those that need
them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from skerry.core.errors import ConfigError, Error
from skerry.spec import Fleet

from .localserver import BackingError, Launch
from .probe import Health
from .replica import Ground, Recipe, Replica, Seat


class NotSupplied(Error):
    """A backing is not there yet; worth trying again."""


class Backing(Protocol):
    """What is asked of one; see ``backings.Backing``."""

    name: str

    def prepare(self) -> Launch | None: ...

    async def ready(self) -> bool: ...

    async def provide(self, app: str) -> str: ...

    def url(self, app: str) -> str: ...


class Supply:
    """The backings of a fleet.

    Args:
        moved: told which apps know a URL that is no longer true.

    Attributes:
        replicas: those that the fleet runs itself, by name.
        outside: those that run elsewhere.
    """

    def __init__(self, ground: Ground, moved: Callable[[Sequence[str]], None]) -> None:
        self.replicas: dict[str, Replica] = {}
        self.outside: dict[str, Backing] = {}
        self._backings: dict[str, Backing] = {}
        self._urls: dict[tuple[str, str], str] = {}
        self._ground = ground
        self._moved = moved

    def start(self, fleet: Fleet, names: Iterable[str]) -> None:
        """Start those that are not there yet.

        Raises:
            BackingError: nothing here can start one of that kind.
        """
        from .backings import backing_for

        for name in names:
            if name in self._backings:
                continue
            backing: Backing = backing_for(fleet.backings[name], fleet)
            self._backings[name] = backing
            if fleet.backings[name].url is not None:
                self.outside[name] = backing
                continue
            prepare = partial(self._recipe, backing)
            replica = Replica(name, prepare, self._ground, [(name, name)])
            self.replicas[name] = replica
            replica.start()

    async def drop(self, names: Iterable[str]) -> None:
        """Stop some, and forget where they were."""
        stopping = []
        for name in names:
            self._backings.pop(name, None)
            self.outside.pop(name, None)
            self._forget(name)
            replica = self.replicas.pop(name, None)
            if replica is not None:
                stopping.append(replica.stop())
        await asyncio.gather(*stopping)

    async def stop(self) -> None:
        await asyncio.gather(*(replica.stop() for replica in self.replicas.values()))

    async def url(self, app: str, name: str) -> str:
        """The URL of a backing for one app, once it is ready and has what that app needs.

        Raises:
            NotSupplied: it is not ready, and was not in time.
        """
        known = self._urls.get((app, name))
        if known is not None:
            return known
        replica = self.replicas.get(name)
        if replica is not None and not await replica.wait(self._ground.pace.start_within):
            raise NotSupplied(f"waits for {name}: {replica.detail or replica.phase.value}")
        try:
            url = await self._backings[name].provide(app)
        except BackingError as error:
            raise NotSupplied(str(error)) from None
        self._urls[app, name] = url
        return url

    def address(self, name: str) -> str:
        """The URL of a backing for whoever asks that is no app; empty while it is not ready."""
        backing, replica = self._backings.get(name), self.replicas.get(name)
        if backing is None or (replica is not None and not replica.ready):
            return ""
        return backing.url("")

    def _forget(self, name: str) -> dict[str, str]:
        """Forget the URLs of one backing; what they were, by app."""
        keys = [key for key in self._urls if key[1] == name]
        return {key[0]: self._urls.pop(key) for key in keys}

    async def _recipe(self, backing: Backing) -> Recipe:
        try:
            launch = await asyncio.to_thread(backing.prepare)
        except BackingError as error:
            raise ConfigError(str(error)) from None
        assert launch is not None
        known = self._forget(backing.name)
        moved = [app for app, url in known.items() if backing.url(app) != url]
        if moved:
            self._moved(moved)
        env = {**launch.env, "SKERRY_INSTANCE": backing.name}
        return Recipe(
            seats=(Seat(backing.name, backing.name, check=partial(_check, backing), listed=False),),
            env=env,
            cwd=os.fspath(launch.cwd),
            argv=launch.argv,
            stop=launch.stop,
            stop_within=launch.grace,
        )


async def _check(backing: Backing, timeout: float) -> tuple[Health, str]:
    try:
        async with asyncio.timeout(timeout):
            ready = await backing.ready()
    except TimeoutError:
        return Health.SILENT, f"no answer in {timeout:g} s"
    return (Health.OK, "") if ready else (Health.REFUSES, "not ready")
