"""The supervisor: makes what runs match what ``fleet.toml`` says, and keeps it so.

One process, one event loop. It holds every listening socket, and for each process that should
exist a ``Replica``; the processes themselves are children of the nursery. Changing anything
while the fleet runs (a reload, a scale, a new ``fleet.toml``) is always the same thing: work
out what should run, and let the difference start, restart or stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from skerry.core.errors import ConfigError, NotFound
from skerry.core.instance import Address
from skerry.spec import AppSpec, Fleet, NoApp, located, order

from .attendants import JOURNEYS, write_promises
from .bus import wired
from .launcher import Launcher
from .logs import LogBook
from .pace import Pace
from .plan import Unit, to_preload, units
from .recipes import Recipes
from .registry import Registry
from .replica import Ground, Recipe, Replica, State
from .sockets import Sockets
from .state import State as Folder
from .supply import Supply
from .tally import Tally

_GATHER = 0.01  # seconds in which changes of the registry are told together


class Supervisor:
    """Runs one fleet, from ``start`` to ``stop``, and then ``close``.

    Args:
        fleet: what to run.
        folder: its state folder; the caller holds the lock.
        run: the token of this run.
        only: these apps and what they need, instead of all.

    Attributes:
        units: what runs, by name.
        replicas: the processes of each unit, by its name.
        edges: the processes of the edge, by name.
        attendants: the collector, the console and the probe, by name.
        supply: the backings.
        settled: whether everything has been started and waited for once.
        over: set when somebody has asked for the end.
    """

    def __init__(
        self,
        fleet: Fleet,
        folder: Folder,
        run: str,
        *,
        pace: Pace | None = None,
        logs: LogBook | None = None,
        only: Iterable[str] | None = None,
    ) -> None:
        self.fleet = fleet = wired(fleet)
        self.pace = pace or Pace()
        self.logs = logs or LogBook(folder.logs)
        self.registry = Registry()
        self.tally = Tally()
        self.over = asyncio.Event()
        self.settled = False
        self.sockets = Sockets(folder, fleet.root)
        self.recipes = Recipes(fleet, self.sockets, folder.control, self.pace.drain)
        self.units: dict[str, Unit] = {}
        self.replicas: dict[str, list[Replica]] = {}
        self.edges: dict[str, Replica] = {}
        self.attendants: dict[str, Replica] = {}
        self._only = None if only is None else tuple(only)
        self._output = self.logs.pipe("fleet", lambda _: None)
        preload = to_preload(fleet.apps.values())
        self.launcher = Launcher(run, preload, self._output.write_end)
        self._ground = Ground(self.launcher, self.logs, self.pace, self._changed)
        self.supply = Supply(self._ground, self._follow)
        self._served: Mapping[str, object] = {}
        self._attended: dict[str, object] = {}
        self._scales: dict[str, int] = {}
        self._changing = asyncio.Lock()
        self._telling: asyncio.TimerHandle | None = None
        self._following: set[asyncio.Task[None]] = set()

    # -- start and stop --------------------------------------------------------------------

    async def start(self) -> None:
        """Start everything, whoever is needed first; returns when all is ready or was waited
        for long enough."""
        await self.launcher.open()
        async with self._changing:
            await self._match(self.fleet)
            await self._wait(self.attendants.values())
        self.settled = True
        self.sockets.save()

    async def stop(self) -> None:
        """Stop everything: the front door, then apps before those they need."""
        self.over.set()
        if self._changing.locked():  # by somebody who waits for processes to become ready
            await asyncio.gather(*(replica.stop() for replica in self.everything()))
        async with self._changing:
            await asyncio.gather(*(replica.stop() for replica in self.edges.values()))
            for wave in reversed(units(self.fleet, self._only)):
                names = [unit.name for unit in wave]
                await asyncio.gather(*(self._stop_unit(name) for name in names))
            await asyncio.gather(*(self._stop_unit(name) for name in list(self.replicas)))
            # Last of those that speak HTTP: apps have told them what they did until the end.
            await asyncio.gather(*(replica.stop() for replica in self.attendants.values()))
            await self.supply.stop()

    async def close(self) -> None:
        """Let go of the nursery, the sockets and the logs; after ``stop``, or instead of it."""
        if self._telling is not None:
            self._telling.cancel()
        for task in self._following:
            task.cancel()
        await self.launcher.close()
        self.sockets.save()
        self.sockets.close()
        self._output.drain()
        self._output.close()
        self.logs.close()

    # -- changes ---------------------------------------------------------------------------

    async def apply(self, fleet: Fleet) -> None:
        """Run this fleet instead: what differs is started, restarted or stopped, and no more."""
        fleet = wired(fleet)
        async with self._changing:
            old, self.fleet = self.fleet, fleet
            for name, app in fleet.apps.items():
                before = old.apps.get(name)
                if before is not None and before.instances != app.instances:
                    self._scales.pop(name, None)  # the file has the last word
            changed = {
                name for name, spec in old.backings.items() if fleet.backings.get(name) != spec
            }
            await self.supply.drop(changed)
            users = {name for name, app in fleet.apps.items() if changed.intersection(app.needs)}
            if old.bus != fleet.bus or old.observe != fleet.observe:
                users.update(fleet.apps)
            await self._match(fleet, restart=users)
        self.sockets.save()

    async def restart(self, *apps: str) -> None:
        """Replace every process of these apps and attendants; those of one app one after the
        other.

        Raises:
            NotFound: one of them does not run here.
        """
        beside = [self.attendants[app] for app in apps if app in self.attendants]
        names = {self._unit_of(app).name for app in apps if app not in self.attendants}
        async with self._changing:
            for replica in beside:
                replica.restart()
            await asyncio.gather(*(self._roll(name) for name in names), self._wait(beside))

    async def scale(self, app: str, instances: int) -> None:
        """Run this many processes of an app, until the fleet file says otherwise.

        Raises:
            NotFound: no such app runs here.
            ConfigError: the number makes no sense.
        """
        if not 0 <= instances <= 100:
            raise ConfigError(f"{app}: from 0 to 100 instances, not {instances}")
        unit = self._unit_of(app)
        async with self._changing:
            self._scales[unit.name] = instances
            await self._resize(unit)
            await self._wait(self.replicas.get(unit.name, []))
        self.sockets.save()

    def _unit_of(self, app: str) -> Unit:
        for unit in self.units.values():
            if app in unit:
                return unit
        if app in self.fleet.apps and self.fleet.apps[app].kind == "outside":
            raise NotFound(detail=f"{app} runs elsewhere: there is nothing to do it to here")
        raise NotFound(detail=f"no app named {app!r} runs here")

    async def _match(self, fleet: Fleet, restart: Iterable[str] = ()) -> None:
        """Let what runs become what ``fleet`` says."""
        fleet = self.fleet = await self._fetched(fleet)
        await asyncio.to_thread(self.recipes.use, fleet)
        names = [name for wave in order(fleet, self._only) for name in wave]
        self.supply.start(fleet, [name for name in names if name in fleet.backings])
        plan = units(fleet, self._only)
        wanted = {unit.name for wave in plan for unit in wave}
        gone = [name for name in self.units if name not in wanted]
        await asyncio.gather(*(self._stop_unit(name) for name in gone))
        await self._match_attendants()
        await self._match_edge()
        for wave in plan:
            await asyncio.gather(*(self._match_unit(unit, restart) for unit in wave))
        self._tell()

    async def _fetched(self, fleet: Fleet) -> Fleet:
        """The fleet with the code of apps from git at hand; without it where that fails, which
        ``_prepare`` then tells of the one app it concerns."""
        chosen = {name for wave in order(fleet, self._only) for name in wave}
        apps = [app for app in fleet.apps.values() if app.git and app.name in chosen]
        tries = (asyncio.to_thread(_fetched_app, app, fleet.root) for app in apps)
        found = await asyncio.gather(*tries, return_exceptions=True)
        here = {app.name: app for app in found if not isinstance(app, BaseException)}
        return replace(fleet, apps={**fleet.apps, **here})

    async def _match_unit(self, unit: Unit, restart: Iterable[str]) -> None:
        before = self.units.get(unit.name)
        self.units[unit.name] = unit
        await self._resize(unit)
        if before is not None and (
            not before.same_but_for_scale(unit) or any(app.name in restart for app in unit.members)
        ):
            await self._roll(unit.name)
        await self._wait(self.replicas[unit.name])

    async def _resize(self, unit: Unit) -> None:
        running = self.replicas.setdefault(unit.name, [])
        wanted = 0 if self.over.is_set() else self._scales.get(unit.name, unit.instances)
        while len(running) < wanted:
            number = len(running) + 1
            prepare = partial(self._prepare, unit.name, number)
            name = f"{unit.name}{'.' if unit.grouped else '-'}{number}"
            apps = [(app.name, f"{app.name}-{number}") for app in unit.members]
            replica = Replica(name, prepare, self._ground, apps)
            running.append(replica)
            replica.start()
        surplus, running[wanted:] = running[wanted:], []
        await asyncio.gather(*(self._retire(replica) for replica in surplus))

    async def _stop_unit(self, name: str) -> None:
        replicas = self.replicas.pop(name, [])
        self.units.pop(name, None)
        await asyncio.gather(*(self._retire(replica) for replica in replicas))

    async def _retire(self, replica: Replica) -> None:
        await replica.stop(0.0 if self.over.is_set() else self.pace.notice)
        for seat in replica.seats:
            self.sockets.release(seat.id)

    async def _roll(self, name: str) -> None:
        """Restart the processes of a unit one by one, each once the one before is ready."""
        for replica in list(self.replicas.get(name, [])):
            if not self.over.is_set():
                replica.restart()
                await replica.wait(self.pace.start_within)

    async def _wait(self, replicas: Iterable[Replica]) -> None:
        """Until they are ready; those that are not in time are named, and left to try on."""
        waiting = list(replicas)
        await asyncio.gather(*(replica.wait(self.pace.start_within) for replica in waiting))
        for replica in waiting:
            if replica.phase is State.STARTING:
                detail = replica.detail or next((s.detail for s in replica.seats if s.detail), "")
                self.logs.write(
                    "fleet",
                    [f"{replica.name} is not ready after {self.pace.start_within:g} s: {detail}"],
                )

    async def _prepare(self, unit_name: str, number: int) -> Recipe:
        unit = self.units[unit_name]
        if any(app.git and app.app is None for app in unit.members):
            tries = (asyncio.to_thread(_fetched_app, app, self.fleet.root) for app in unit.members)
            unit = replace(unit, members=tuple(await asyncio.gather(*tries)))
        for app in unit.members:
            for need in app.needs:
                if need in self.fleet.backings:
                    url = await self.supply.url(app.name, need)
                    self.recipes.backings[app.name, need] = url
        return self.recipes.unit(unit, number)

    async def _match_edge(self) -> None:
        names = self.recipes.edge_names()
        for name in [name for name in self.edges if name not in names]:
            await self.edges.pop(name).stop()
        served = {name: self.recipes.edge_served(name) for name in names}
        for name in names:
            if name not in self.edges:
                prepare = partial(self._prepare_edge, name)
                self.edges[name] = Replica(name, prepare, self._ground, [(name, name)])
                self.edges[name].start()
            elif served[name] != self._served[name]:
                self.edges[name].restart()
        self._served = served

    async def _prepare_edge(self, name: str) -> Recipe:
        return self.recipes.edge(name)

    async def _match_attendants(self) -> None:
        await asyncio.to_thread(write_promises, self.fleet)
        attendants = self.recipes.attendants
        wanted = attendants.names(self.fleet)
        if self._only is not None and JOURNEYS in wanted:
            wanted.remove(JOURNEYS)  # they lead through all apps
        for name in [name for name in self.attendants if name not in wanted]:
            await self.attendants.pop(name).stop()
            self.sockets.release(name)
        before, self._attended = (
            self._attended,
            {name: attendants.depends(self.fleet, name) for name in wanted},
        )
        for name in wanted:
            if name not in self.attendants:
                prepare = partial(self._prepare_attendant, name)
                self.attendants[name] = Replica(name, prepare, self._ground, [(name, name)])
                self.attendants[name].start()
            elif before.get(name) != self._attended[name]:
                self.attendants[name].restart()

    async def _prepare_attendant(self, name: str) -> Recipe:
        return self.recipes.attendants.recipe(self.fleet, name)

    def chosen(self) -> list[str]:
        """The apps of the fleet that were asked for, in the order of the file."""
        names = {name for wave in order(self.fleet, self._only) for name in wave}
        return [name for name in self.fleet.apps if name in names]

    def bus_url(self) -> str:
        """Where the events go; empty while the backing that carries them is not ready."""
        bus = self.fleet.bus
        return bus.url or self.supply.address(bus.backing or "")

    def everything(self) -> Iterator[Replica]:
        """Every process there should be."""
        yield from self.attendants.values()
        yield from self.edges.values()
        yield from self.supply.replicas.values()
        for replicas in self.replicas.values():
            yield from replicas

    # -- news ------------------------------------------------------------------------------

    def _follow(self, apps: Iterable[str]) -> None:
        """A backing has had to take another port: restart the apps that knew the old one."""
        known = [app for app in apps if any(app in unit for unit in self.units.values())]
        task = asyncio.get_running_loop().create_task(self.restart(*known))
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    def _changed(self, replica: Replica) -> None:
        if replica.pid is None:
            self.tally.ended(replica.name)
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(_GATHER, self._tell)

    def _tell(self) -> None:
        self._telling = None
        self.registry.publish(self.listing())

    def listing(self) -> dict[str, list[Address]]:
        """Which instances of each app may be called now.

        Those that are ready. An app without any, of which one is being replaced on purpose,
        lists that one: its socket is open, and calls wait there for the new process.
        """
        found: dict[str, list[Address]] = {}
        for name, app in self.fleet.apps.items():
            if app.url is not None:
                found[name] = [Address(app.url, name, outside=True)]
        back: dict[str, list[Address]] = {}
        for replicas in self.replicas.values():
            for replica in replicas:
                for seat in replica.seats:
                    if not seat.listed:
                        continue
                    if replica.state_of(seat) is State.READY:
                        found.setdefault(seat.app, []).append(Address(seat.url, seat.id))
                    elif replica.returning:
                        back.setdefault(seat.app, []).append(Address(seat.url, seat.id))
        return {**back, **found}


def _fetched_app(app: AppSpec, root: Path) -> AppSpec:
    """An app with its code at hand. Blocks.

    Raises:
        ConfigError: it cannot be fetched, or there is no application in it.
    """
    if app.git is None or app.app is not None:
        return app
    from .sources import SourceError, fetch

    try:
        fetch(app, root)
        return located(app)
    except (SourceError, NoApp) as error:
        raise ConfigError(str(error)) from None
