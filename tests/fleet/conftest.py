"""Fleets in temporary folders, and ways to look at them from outside."""

from __future__ import annotations

import asyncio
import json
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from skerry.core.instance import Address
from skerry.core.wire import Headers, Request, read_all
from skerry.fleet.pace import Pace
from skerry.fleet.reaping import RUN, marked
from skerry.fleet.supervisor import Supervisor
from skerry.fleet.up import Options, supervised
from skerry.spec import load
from skerry.transport.http import HttpTransport

PATIENCE = 20.0  # seconds until a test gives up on something that must happen
PACE = Pace(
    start_within=15.0,
    probe_first=0.01,
    probe_every=0.1,
    probe_timeout=0.5,
    backoff_first=0.02,
    steady_after=60.0,
    crashes=3,
    drain=2.0,
    stop_within=4.0,
    notice=0.01,
    watch_every=0.05,
)

APP = """
    import os
    from skerry import App

    app = App({name!r})

    @app.get("/hello")
    async def hello() -> dict[str, str]:
        instance = os.environ["SKERRY_INSTANCE"]
        return {{"from": {name!r}, "instance": instance, "pid": str(os.getpid())}}
"""


# Without collector and console: most tests are about something else, and there are many.
ALONE = '[observe]\ncollector = false\nconsole = false\n[fleet]\nname = "test"\n'


@dataclass
class Tree:
    """A fleet's folder."""

    root: Path
    text: str = ALONE

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def toml(self, text: str) -> None:
        """Replace the fleet file's tables."""
        self.write("fleet.toml", ALONE + textwrap.dedent(text))

    def add(self, name: str, more: str = "", source: str | None = None) -> None:
        """Add an app: ``more`` goes into its table, ``source`` into its ``app.py``."""
        self.text += f"[apps.{name}]\n{textwrap.dedent(more)}\n"
        self.write("fleet.toml", self.text)
        if source is None:
            source = APP.format(name=name)
        if source:
            self.write(f"{name}/{name}_app/__init__.py", "")
            self.write(f"{name}/app.py", source)

    @property
    def run_token(self) -> str:
        return str(json.loads((self.root / ".skerry" / "run.json").read_text())["run"])

    def left_over(self) -> set[int]:
        """Processes of the last run that are still there."""
        return set(marked({RUN: self.run_token}))


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    made = Tree(tmp_path)
    yield made
    if (tmp_path / ".skerry" / "run.json").exists():
        assert made.left_over() == set()


@dataclass
class Answer:
    status: int
    headers: Headers
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Http:
    """A client without any filters."""

    transport: HttpTransport = field(default_factory=HttpTransport)

    async def __call__(
        self, url: str, path: str = "/", method: str = "GET", body: bytes = b"", **headers: str
    ) -> Answer:
        path, _, query = path.partition("?")
        fields = Headers.of({name.replace("_", "-"): value for name, value in headers.items()})
        request = Request(method, path, query, fields, body)
        response = await self.transport.connect(Address(url))(request)
        return Answer(response.status, response.headers, await read_all(response.body))


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    client = Http()
    yield client
    await client.transport.close()


Running = Callable[..., AbstractAsyncContextManager[Supervisor]]


@pytest.fixture
def running(tree: Tree) -> Running:
    """Runs the tree's fleet for the length of a block; started and waited for unless told not."""

    @asynccontextmanager
    async def run(*only: str, start: bool = True, **pace: Any) -> AsyncIterator[Supervisor]:
        fleet = load(tree.root)
        async with supervised(fleet, Options(only), pace=replace(PACE, **pace)) as supervisor:
            if start:
                await supervisor.start()
            yield supervisor

    return run


async def until(true: Callable[[], Any] | Callable[[], Awaitable[Any]], what: str = "") -> Any:
    """Wait for a condition, looking often; what it came to."""
    async with asyncio.timeout(PATIENCE):
        while True:
            value = true()
            if isinstance(value, Awaitable):
                value = await value
            if value:
                return value
            await asyncio.sleep(0.01)


@pytest.fixture(name="until")
def until_fixture() -> Any:
    return until
