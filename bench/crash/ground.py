"""The surroundings of experiments: servers, links, and the processes of a fleet between them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from skerry.bus.driver import Driver
from skerry.bus.urls import driver_of
from skerry.core.errors import CallError
from skerry.core.wire import Request
from skerry.data.database import Database
from skerry.fleet.localserver import free_port
from skerry.stack.client import ClientSettings
from skerry.stack.connector import Connection, connection

from .apps import NewPayment, Site, make_tables
from .caller import Answer
from .cells import Cell
from .ledger import ROLES
from .links import Link, Server
from .processes import Process, Zygote

INSTANCES = {"payments": 2, "ledger": 2, "audit": 1}
QUIET = 40.0
"""Seconds in which there is nothing left to do."""


@dataclass(frozen=True)
class Broken:
    """What is broken in the processes (see ``sabotage``), and how long to wait for quiet then."""

    what: str = ""
    quiet: float = QUIET


@dataclass
class Expected:
    """What was asked for, and what was answered.

    Attributes:
        times: how often each key was new.
        faults: how many may have hit one event.
    """

    cell: Cell | None
    prefix: str
    payments: list[NewPayment]
    answers: list[Answer]
    times: int = 1
    faults: int = 2


@dataclass
class Fleet:
    """The processes of one generation: a lane that has failed gets another."""

    generation: str
    folder: Path
    driver: Driver
    processes: dict[str, list[Process]] = field(default_factory=dict)
    clients: dict[str, list[Connection]] = field(default_factory=dict)
    urls: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    databases: dict[str, Database] = field(default_factory=dict)
    expected: list[Expected] = field(default_factory=list)

    @property
    def everybody(self) -> list[Process]:
        return [process for several in self.processes.values() for process in several]

    @property
    def subscriptions(self) -> list[str]:
        return [f"ledger{self.generation}.book", f"audit{self.generation}.audit"]


class Ground:
    """Where fleets come and go: what they share, and the one there is."""

    def __init__(
        self, driver: str, database: str, folder: Path, zygote: Zygote, broken: Broken
    ) -> None:
        self.driver = driver
        self.database = database
        self.fleet: Fleet | None = None
        self.keep = False
        self._folder = folder
        self._zygote = zygote
        self._broken = broken
        self._servers: dict[str, Server] = {}
        self._urls: dict[str, str] = {}
        self._links: dict[str, Link] = {}
        self._generations = itertools.count(1)
        self._cells = itertools.count(1)

    # -- servers and processes ----------------------------------------------------------------

    async def open(self) -> None:
        """Start the servers that this lane needs.

        Raises:
            BackingError: one is not installed.
        """
        wanted = {"rabbitmq": self.driver == "rabbitmq", "postgresql": self.database != "sqlite"}
        for kind in (kind for kind, needed in wanted.items() if needed):
            server = self._servers[kind] = Server(kind, self._folder)
            url = self._urls[kind] = await server.start()
            link = self._links[kind] = Link(_port(url))
            await link.open()

    async def close(self) -> None:
        await self.end_fleet()
        for link in self._links.values():
            await link.close()
        for server in self._servers.values():
            await server.stop()

    async def begin_fleet(
        self, *, ticks: bool = False, points: Mapping[str, str] | None = None
    ) -> Fleet:
        """New processes, on databases and queues that nobody has used.

        Args:
            ticks: whether there is a schedule.
            points: failpoints by role, for the processes and all that come after them.
        """
        generation = str(next(self._generations))
        folder = self._folder / generation
        folder.mkdir()
        bus, broker = self._bus(folder)
        fleet = self.fleet = Fleet(generation, folder, driver_of(broker))
        for role in ROLES:
            name = role + generation
            own, theirs = self._database_urls(folder, name)
            fleet.databases[role] = Database(own, schema=name)
            await asyncio.to_thread(make_tables, fleet.databases[role])
            fleet.processes[role], fleet.clients[role] = [], []
            for number in range(INSTANCES[role]):
                port = free_port()
                site = Site(
                    role=role,
                    name=name,
                    port=port,
                    bus=bus,
                    database=theirs,
                    generation=generation,
                    sabotage=self._broken.what,
                    ticks=ticks,
                    points=(points or {}).get(role, ""),
                )
                log = folder / f"{role}-{number}.log"
                process = Process(self._zygote, "site", site, log)
                await process.start()
                fleet.processes[role].append(process)
                settings = ClientSettings(breaker=None)
                client = connection(f"http://127.0.0.1:{port}", app=role, settings=settings)
                fleet.clients[role].append(client)
                if role == "payments":
                    link = Link(port)
                    await link.open()
                    fleet.links.append(link)
                    fleet.urls.append(f"http://127.0.0.1:{link.port}")
        await fleet.driver.open()
        await until(lambda: self._are_ready(fleet), 30.0, "the fleet is not ready")
        return fleet

    async def end_fleet(self) -> None:
        fleet, self.fleet = self.fleet, None
        if fleet is None:
            return
        await asyncio.gather(*(process.stop() for process in fleet.everybody))
        for client in itertools.chain(*fleet.clients.values()):
            await client.close()
        for link in fleet.links:
            await link.close()
        await fleet.driver.close()
        for database in fleet.databases.values():
            await asyncio.to_thread(database.close)

    def _bus(self, folder: Path) -> tuple[str, str]:
        """The bus for the processes, by way of a link, and for us."""
        if self.driver == "embedded":
            url = f"sqlite:///{folder / 'bus.db'}"
            return url, url
        url = self._urls["rabbitmq"]
        return self._links["rabbitmq"].through(url) + "?heartbeat=1", url

    def _database_urls(self, folder: Path, name: str) -> tuple[str, str]:
        if self.database == "sqlite":
            url = f"sqlite:///{folder / name}.db"
            return url, url
        url = self._urls["postgresql"]
        return url, self._links["postgresql"].through(url)

    async def _are_ready(self, fleet: Fleet) -> bool:
        for client in itertools.chain(*fleet.clients.values()):
            try:
                response = await client(Request("GET", "/readyz"))
            except CallError:
                return False
            if response.status != 200:
                return False
        return True

    async def inflict(self, fleet: Fleet, fault: str) -> None:
        """What happens to the surroundings of a process."""
        if fault == "cut":
            for link in (*fleet.links, *self._links.values()):
                link.cut()
            await asyncio.sleep(0.01)
        else:
            server = {"broker": "rabbitmq", "database": "postgresql"}[fault]
            await self._servers[server].restart()


async def until(
    condition: Callable[[], bool | Awaitable[bool]], seconds: float, otherwise: str
) -> None:
    deadline = time.monotonic() + seconds
    while True:
        met = condition()
        if not isinstance(met, bool):
            met = await met
        if met:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        await asyncio.sleep(0.05)


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
