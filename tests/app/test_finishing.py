"""An app that is told to stop lets its handlers finish, within the bound that requests have."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest
from msgspec import Struct

from skerry.app import App
from skerry.app import bus as module
from skerry.app.bus import Bus
from skerry.app.serve import Server
from skerry.bus.embedded import Embedded
from skerry.bus.event import event
from skerry.core.instance import Address
from skerry.core.wire import Headers, Request
from skerry.transport.http import HttpTransport


@event("a.settled")
class Settled(Struct):
    seconds: float


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "bus.db"
    monkeypatch.setenv("SKERRY_BUS", f"sqlite:///{path}")
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    return path


async def serve(app: App, drain: float) -> tuple[Server, str]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = Server(app, [listening], drain)
    await server.start()
    return server, f"http://127.0.0.1:{listening.getsockname()[1]}"


def shop(done: list[str]) -> tuple[App, asyncio.Event]:
    app = App("shop")
    began = asyncio.Event()
    app.publishes(Settled)

    @app.on(Settled)
    async def book(settled: Settled) -> None:
        began.set()
        await asyncio.sleep(settled.seconds)
        done.append("event")

    @app.post("/slow", status=202)
    async def slow(bus: Bus) -> None:
        await asyncio.sleep(0.4)
        await bus.publish(Settled(0))
        done.append("request")

    return app, began


async def test_requests_and_handlers_finish_side_by_side(bus: Path) -> None:
    done: list[str] = []
    app, began = shop(done)
    server, url = await serve(app, drain=5.0)
    transport = HttpTransport()
    request = Request("POST", "/slow", headers=Headers([]), body=b"")
    asking = asyncio.create_task(transport.connect(Address(url))(request))
    await app.publish(Settled(0.5))
    await began.wait()
    started = time.monotonic()
    await server.stop()
    assert done == ["request", "event"] and time.monotonic() - started < 0.8
    assert (await asking).status == 202
    await transport.close()
    assert await ready(bus) == 1  # what the request has published is not begun any more


async def test_what_is_not_done_in_time_is_given_back(bus: Path) -> None:
    done: list[str] = []
    app, began = shop(done)
    server, _ = await serve(app, drain=0.1)
    await app.publish(Settled(30))
    await began.wait()
    await server.stop()
    assert done == [] and await ready(bus) == 1


async def ready(path: Path) -> int:
    driver = Embedded(path)
    await driver.open()
    (queue,) = await driver.queues()
    await driver.close()
    return queue.ready
