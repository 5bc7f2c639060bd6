"""The fleet tells its apps where the bus is, and runs what has no endpoints."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from skerry.bus.embedded import Embedded
from skerry.bus.message import Message, new_id
from skerry.bus.urls import driver_of, path_of
from skerry.fleet.bus import wired
from skerry.fleet.client import Control
from skerry.fleet.localserver import find_binaries
from skerry.fleet.replica import State
from skerry.fleet.status import fleet_status
from skerry.fleet.supervisor import Supervisor
from skerry.spec import BusSpec, Fleet, load

from .conftest import Http, Running, Tree

DAEMON = """
    import asyncio
    import os
    from msgspec import Struct
    from skerry import App
    from skerry.bus.event import event

    app = App("daemon")
    INSTANCE = os.environ["SKERRY_INSTANCE"]

    @event("a.settled", key="id")
    class Settled(Struct):
        id: str

    @app.on(Settled)
    async def book(settled: Settled) -> None:
        if settled.id == "bad":
            raise ValueError(settled.id)
        await asyncio.sleep(0.5 if settled.id == "slow" else 0)
        with open("booked", "a") as file:
            file.write(f"{settled.id} {INSTANCE}\\n")
"""

BROKER = "[backings.broker]\nkind = 'rabbitmq'\n[bus]\nbacking = 'broker'"


@pytest.fixture(autouse=True)
def no_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKERRY_BUS", raising=False)


async def publish(supervisor: Supervisor, *ids: str) -> None:
    path = path_of(supervisor.bus_url())
    assert path is not None
    driver = Embedded(path)
    await driver.open()
    await driver.publish(
        [Message(new_id(), "a.settled", 1, b'{"id":"%s"}' % i.encode(), i) for i in ids]
    )
    await driver.close()


def booked(tree: Tree) -> list[str]:
    file = tree.root / "daemon" / "booked"
    return file.read_text().split()[::2] if file.exists() else []


async def test_a_daemon_runs_handles_and_is_counted(
    tree: Tree, running: Running, http: Http, until: Any
) -> None:
    tree.add("daemon", "instances = 2", DAEMON)
    async with running() as supervisor:
        assert supervisor.bus_url() == f"sqlite:///{tree.root}/.skerry/bus.db"
        await publish(supervisor, *(f"p{n}" for n in range(20)), "bad")
        await until(lambda: len(booked(tree)) == 20)
        assert sorted(booked(tree)) == sorted(f"p{n}" for n in range(20))
        (app,) = (await until(lambda: _counted(supervisor, 21)))[0]
        assert app.ready == 2
        assert app.counts.requests == 0 < app.counts.events_failed
        assert app.counts.events_p50_ms is not None
        await supervisor.scale("daemon", 1)
        await supervisor.restart("daemon")
        (row,) = fleet_status(supervisor).instances
        assert row.state is State.READY
        assert (await http(row.url, "/readyz")).json()["checks"]["bus"] == "ok"
        await publish(supervisor, "after")
        await until(lambda: "after" in booked(tree))


def _counted(supervisor: Supervisor, events: int) -> list[Any]:
    apps = fleet_status(supervisor).apps
    return [apps] if apps[0].counts.events >= events else []


async def test_handlers_that_are_at_work_finish_when_their_instance_is_stopped(
    tree: Tree, running: Running, until: Any
) -> None:
    tree.add("daemon", source=DAEMON)
    async with running() as supervisor:
        await publish(supervisor, "slow")
        await until(lambda: _leased(supervisor))
        await supervisor.scale("daemon", 0)
        assert booked(tree) == ["slow"]


async def _leased(supervisor: Supervisor) -> int:
    path = path_of(supervisor.bus_url())
    assert path is not None
    driver = Embedded(path)
    await driver.open()
    (queue,) = await driver.queues()
    await driver.close()
    return queue.leased


async def test_daemons_share_a_process(tree: Tree, running: Running, until: Any) -> None:
    tree.text += 'together = ["daemon", "other"]\n'
    for name in ("daemon", "other"):
        tree.write(f"{name}/{name}/__init__.py", "")
        tree.write(f"{name}/{name}/app.py", DAEMON.replace('App("daemon")', f'App("{name}")'))
        tree.add(name, source="")
    file = tree.root / "booked"
    async with running() as supervisor:
        assert len(supervisor.replicas) == 1
        await publish(supervisor, "p1")
        await until(lambda: file.exists() and len(file.read_text().splitlines()) == 2)


async def test_a_broker_of_the_fleet_carries_the_bus(
    tree: Tree, running: Running, until: Any
) -> None:
    if not any(find_binaries("rabbitmq-server", places=("/usr/sbin",))):
        pytest.skip("rabbitmq is not installed: apt-get install rabbitmq-server")
    pytest.importorskip("aiormq", reason="pip install 'skerry[rabbitmq]'")
    tree.text += f"{BROKER}\n"
    tree.add("daemon", source=DAEMON)
    async with running(start_within=60.0) as supervisor:
        assert supervisor.bus_url().startswith("amqp://skerry:")
        assert await asyncio.to_thread(Control(tree.root).bus) == supervisor.bus_url()
        (row,) = fleet_status(supervisor).instances
        assert (row.state, row.counts.events if row.counts else None) == (State.READY, 0)
        driver = driver_of(supervisor.bus_url())
        await driver.open()
        await driver.publish([Message(new_id(), "a.settled", 1, b'{"id":"p1"}', "p1")])
        await driver.close()
        await until(lambda: booked(tree) == ["p1"])


async def test_an_app_whose_bus_is_away_says_so(
    tree: Tree, running: Running, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKERRY_BUS", "amqp://u:secret@127.0.0.1:1/")
    tree.add("daemon", source=DAEMON)
    async with running(start_within=1.0) as supervisor:
        status = await until(lambda: _unhealthy(supervisor))
        assert status.detail.startswith("bus: ") and "secret" not in status.detail
        assert fleet_status(supervisor).notes == [
            "SKERRY_BUS of the environment says where the bus is"
        ]


def _unhealthy(supervisor: Supervisor) -> Any:
    (row,) = fleet_status(supervisor).instances
    return row if row.state is State.UNHEALTHY else None


def fleet(tree: Tree, text: str) -> Fleet:
    tree.toml("[apps.a]\n[apps.b]\nurl = 'http://b'\n" + text)
    tree.write("a/app.py", "app = None")
    return load(tree.root)


def test_where_the_bus_is(tree: Tree) -> None:
    assert wired(fleet(tree, ""), {}).bus == BusSpec(f"sqlite:///{tree.root}/.skerry/bus.db")
    own = fleet(tree, "[bus]\nurl = 'sqlite:///x/bus.db'")
    assert wired(own, {}).bus == BusSpec(f"sqlite:///{tree.root}/x/bus.db")
    assert wired(own, {"SKERRY_BUS": "amqp://h"}).bus == BusSpec("amqp://h")


def test_a_broker_of_the_fleet_is_needed_by_every_app_that_runs_here(tree: Tree) -> None:
    read = fleet(tree, BROKER)
    made = wired(read, {})
    assert made.apps["a"].needs == ("broker",) and made.apps["b"].needs == ()
    elsewhere = wired(read, {"SKERRY_BUS": "sqlite:///bus.db"})
    assert elsewhere.apps["a"].needs == () and "broker" not in elsewhere.backings
    assert elsewhere.notes
    tree.write(
        "fleet.toml",
        (tree.root / "fleet.toml").read_text().replace("[apps.a]", "[apps.a]\nneeds = ['broker']"),
    )
    read = load(tree.root)
    assert wired(read, {}).apps["a"].needs == ("broker",)
    assert "broker" in wired(read, {"SKERRY_BUS": "sqlite:///bus.db"}).backings
