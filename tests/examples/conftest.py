"""The tuition fleet in this process: every app, its own database, calls over the loopback, events
over a broker in memory, mail over a socket."""

from __future__ import annotations

import importlib
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from skerry import App
from skerry.app.testclient import TestClient
from skerry.bus.driver import Driver
from skerry.bus.memory import Broker, Memory
from skerry.data import fixtures
from skerry.transport.loopback import provide, withdraw

TUITION = Path(__file__).parents[2] / "examples" / "tuition"
APPS = (
    *("schools", "quotes", "payments", "compliance", "bank", "ledger", "payouts", "mailbox"),
    *("notify", "portal"),
)

sys.path[:0] = [str(TUITION), *(str(TUITION / name) for name in APPS)]

from housebank import HouseBank  # noqa: E402 - beside the fleet, found by the line above

__all__ = ["APPS", "HouseBank"]

database_url = fixtures.fresh_url()


@pytest.fixture(scope="session")
def apps() -> dict[str, App]:
    return {name: importlib.import_module(f"{name}.app").app for name in APPS}


@pytest.fixture
async def fleet(
    apps: dict[str, App], database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[dict[str, TestClient]]:
    """A client of each app; on SQLite each has a file, on PostgreSQL they share a server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SKERRY_CONTROL", raising=False)
    if database_url.startswith("sqlite"):
        monkeypatch.delenv("DATABASE_URL", raising=False)
    else:
        monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.delenv("SMTP_URL", raising=False)
    broker = Broker()
    async with AsyncExitStack() as running:
        clients = {}
        for name, app in apps.items():
            provide(name, app.service)
            running.callback(withdraw, name)
        for name, app in apps.items():
            on_the_bus = {Driver: Memory(broker)} if app.has_events else {}
            client = TestClient(app, overrides=on_the_bus)
            clients[name] = await running.enter_async_context(client)
        yield clients
