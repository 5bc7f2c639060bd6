"""Effectively once, all of it: inbox, the handler's row, outbox, and the relay that empties that.

A plain ``def`` handler takes an event, writes a row with the session it asked for and publishes
one event further, on the embedded bus in its default durability. Its app has one core; what hears
the further events has the other. Timed is what arrives there, from a queue that was full at first.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from skerry.bus.driver import Subscription
from skerry.bus.embedded import Embedded
from skerry.bus.event import event_type
from skerry.bus.message import compose
from skerry.bus.urls import file_url
from skerry.fleet.backings import BackingError
from skerry.fleet.postgresql import PostgreSQL
from skerry.spec import BackingSpec

from . import machine
from .bus_broker import backing
from .bus_peers.effects import Booked, example
from .bus_peers.ours import PaymentSettled
from .rows import Report

_FOLDER = machine.WORK / "effects"
_CALIBRATION = 200
_PATIENCE = 120.0
_BATCH = 500


def run(report: Report, rounds: int, seconds: float, say: Callable[[str], None]) -> None:
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    _row(report, "bus.effectively_once_per_s", _sqlite, rounds, seconds, say)
    try:
        with _postgresql() as url:
            name = "bus.effectively_once_postgresql_per_s"
            _row(report, name, lambda: url, rounds, seconds, say)
    except BackingError as error:
        report.leave_out("effectively once with PostgreSQL", error)


def _row(
    report: Report,
    name: str,
    database: Callable[[], str],
    rounds: int,
    seconds: float,
    say: Callable[[str], None],
) -> None:
    events = max(_CALIBRATION, int(_once(database(), _CALIBRATION) * seconds))
    figures = []
    for number in range(rounds):
        figures.append(_once(database(), events))
        say(f"{name}, round {number + 1}/{rounds}  {figures[-1]:6.0f}/s")
    report.add(name, figures, "events/s")


def _sqlite() -> str:
    for path in _FOLDER.glob("ledger.db*"):
        path.unlink()
    return f"sqlite:///{_FOLDER / 'ledger.db'}"


@contextmanager
def _postgresql() -> Iterator[str]:
    """A server as it comes, which writes to the disk in earnest."""
    server = PostgreSQL(BackingSpec(name="postgresql", kind="postgresql"), _FOLDER / "postgresql")
    with backing(server) as runner:
        yield runner.run(server.provide("ledger"))


def _once(database: str, events: int) -> float:
    """Events a second, from the first further event that was heard to the last."""
    ledger_core, audit_core = machine.cores()
    result = _FOLDER / "heard.json"
    result.unlink(missing_ok=True)
    for path in _FOLDER.glob("bus.db*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    bus = _FOLDER / "bus.db"
    asyncio.run(_fill(bus, events))
    environment = {
        "SKERRY_BUS": file_url(bus),
        "DATABASE_URL": database,
        "BENCH_EVENTS": str(events),
        "BENCH_RESULT": str(result),
    }
    processes = [
        machine.spawn(
            [
                *(sys.executable, "-m", "skerry.cli.main", "run"),
                *(f"bench.bus_peers.effects:{app}", "--port", "0"),
            ],
            core=core,
            env=environment,
        )
        for app, core in (("audit", audit_core), ("ledger", ledger_core))
    ]
    try:
        until = time.monotonic() + _PATIENCE
        while not result.exists():
            if time.monotonic() > until or any(it.poll() is not None for it in processes):
                raise RuntimeError("not all was heard; see .bench/servers.log")
            time.sleep(0.02)
        measured = json.loads(result.read_text())
    finally:
        for process in processes:
            machine.stop(process)
    return float((events - 1) / (measured["last"] - measured["first"]))


async def _fill(path: Path, events: int) -> None:
    """The bus as it is when both apps have been there before, with events that wait."""
    driver = Embedded(path)
    await driver.open()
    settled, booked = event_type(PaymentSettled), event_type(Booked)
    await driver.declare(
        [
            Subscription("ledger.book", (settled.topic,), ordered=False),
            Subscription("audit.hear", (booked.topic,), ordered=False),
        ]
    )
    for first in range(0, events, _BATCH):
        count = min(_BATCH, events - first)
        await driver.publish([compose(settled, example(), source="bench") for _ in range(count)])
    await driver.close()
