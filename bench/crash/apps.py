"""The fleet that is crashed: payments are taken, booked, and audited, and every row is counted.

*payments* takes a payment by HTTP, with a key; *ledger* handles its event; *audit* handles what
ledger publishes. Each writes one row for each effect and forbids none, so that what happens
twice is seen twice. Payments of an account are numbered where they are taken, so that their
order can be told everywhere.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from msgspec import Struct, json
from sqlalchemy import text
from sqlalchemy.orm import Session

from skerry import (
    App,
    Attempt,
    Bus,
    IdempotencySettings,
    Permanent,
    RelaySettings,
    Retries,
    ServerSettings,
    Tick,
    event,
    publish_with,
)
from skerry.app.serve import run
from skerry.core import failpoint
from skerry.data import schema
from skerry.data.database import Database

from .sabotage import sabotage

LEASE = 1.0
"""Seconds for everything that is leased."""

ATTEMPTS = 5
KINDS = ("plain", "flaky", "bad", "late")
"""Of payments: one that fails at first, one that always fails, one whose event is delayed."""

TABLES = """
    CREATE TABLE accounts (id VARCHAR(64) PRIMARY KEY, number INTEGER NOT NULL);
    CREATE TABLE effects (
        n {serial}, key VARCHAR(64), account VARCHAR(64), number INTEGER, attempt INTEGER
    );
    CREATE TABLE ticks (n {serial}, at VARCHAR(40));
    CREATE INDEX effects_by_account ON effects (account)
"""
_SERIAL = {"sqlite": "INTEGER PRIMARY KEY", "postgresql": "BIGSERIAL PRIMARY KEY"}


class Site(Struct):
    """Where one process of the fleet is, and what it is told.

    Attributes:
        role: payments, ledger or audit.
        name: the app's; another one in each generation.
        paid, booked: the topics, likewise.
        bus, database: URLs.
        sabotage: what is to be broken in it; see ``sabotage``.
        ticks: whether it has schedules.
        points: its failpoints, from its start.
    """

    role: str
    name: str
    port: int
    bus: str
    database: str
    generation: str
    sabotage: str = ""
    ticks: bool = False
    points: str = ""


class Arming(Struct):
    """See ``skerry.core.failpoint.arm``."""

    points: str
    once: str


class NewPayment(Struct):
    key: str
    account: str
    kind: str = "plain"


class Payment(Struct):
    key: str
    number: int
    nonce: str


class Leased(Struct):
    """Deliveries that are out with one process."""

    count: int


def make_tables(database: Database) -> None:
    """What an app writes to, and what Skerry keeps beside it."""
    serial = _SERIAL[database.engine.dialect.name]
    with database.writing() as session:
        for statement in TABLES.format(serial=serial).split(";"):
            session.execute(text(statement))
    schema.migrate(database.engine)


def serve(site: Site) -> None:
    """Be one process of the fleet until told to stop."""
    os.environ["SKERRY_BUS"] = site.bus
    os.environ[failpoint.VARIABLE] = site.points
    if site.sabotage:
        sabotage(site.sabotage)
    run(make(site), port=site.port)


def make(site: Site) -> App:
    keys = IdempotencySettings(lease=LEASE)
    relay = RelaySettings(lease=LEASE, poll=0.2, backoff=0.2)
    app = App(site.name, server=ServerSettings(idempotency=keys), relay=relay)

    @app.resource
    async def database() -> AsyncIterator[Database]:
        async with Database.opened(site.name, url=site.database) as opened:
            yield opened

    @app.post("/arm", status=204, hidden=True)
    async def arm(arming: Arming) -> None:
        failpoint.arm(arming.points, Path(arming.once))

    @app.get("/leased", hidden=True)
    async def leased(bus: Bus) -> Leased:
        queues = await bus.driver.queues()
        # Whoever leads the schedules always has something out.
        own = [it for it in queues if it.subscription.startswith(("ledger", "audit"))]
        return Leased(sum(queue.leased for queue in own))

    _MAKERS[site.role](app, site)
    return app


def effect(session: Session, key: str, account: str, number: int, attempt: int = 1) -> None:
    values = {"key": key, "account": account, "number": number, "attempt": attempt}
    session.execute(
        text(
            "INSERT INTO effects (key, account, number, attempt)"
            " VALUES (:key, :account, :number, :attempt)"
        ),
        values,
    )


def _payments(app: App, site: Site) -> None:
    @event(f"paid.{site.generation}", key="account")
    class Paid(Struct):
        key: str
        account: str
        number: int
        kind: str

    app.publishes(Paid)

    @app.post("/payments", status=201, idempotent="required")
    def pay(new: NewPayment, session: Session) -> Payment:
        account = {"account": new.account}
        session.execute(
            text("INSERT INTO accounts VALUES (:account, 0) ON CONFLICT DO NOTHING"), account
        )
        number = session.execute(
            text("UPDATE accounts SET number = number + 1 WHERE id = :account RETURNING number"),
            account,
        ).scalar_one()
        effect(session, new.key, new.account, number)
        paid = Paid(new.key, new.account, number, new.kind)
        publish_with(session, paid, delay=0.5 if new.kind == "late" else 0.0)
        return Payment(new.key, number, secrets.token_hex(8))

    if site.ticks:

        @app.every("1s", lease=LEASE)
        def tick(tick: Tick, session: Session) -> None:
            session.execute(text("INSERT INTO ticks (at) VALUES (:at)"), {"at": str(tick.at)})


def _ledger(app: App, site: Site) -> None:
    @event(f"paid.{site.generation}", key="account")
    class Paid(Struct):
        key: str
        account: str
        number: int
        kind: str

    @event(f"booked.{site.generation}", key="account")
    class Booked(Struct):
        key: str
        account: str
        number: int

    app.publishes(Booked)

    @app.on(Paid, lease=LEASE, retries=Retries(ATTEMPTS, first=0.05, longest=0.2))
    def book(paid: Paid, session: Session, attempt: Attempt) -> None:
        if paid.kind == "bad":
            raise Permanent(f"{paid.key} cannot be booked")
        if paid.kind == "flaky" and attempt.number == 1:
            raise RuntimeError(f"{paid.key} fails at first")
        effect(session, paid.key, paid.account, paid.number, attempt.number)
        publish_with(session, Booked(paid.key, paid.account, paid.number))


def _audit(app: App, site: Site) -> None:
    @event(f"booked.{site.generation}", key="account")
    class Booked(Struct):
        key: str
        account: str
        number: int

    @app.on(Booked, lease=LEASE, retries=Retries(ATTEMPTS, first=0.05, longest=0.2))
    def audit(booked: Booked, session: Session, attempt: Attempt) -> None:
        effect(session, booked.key, booked.account, booked.number, attempt.number)


_MAKERS = {"payments": _payments, "ledger": _ledger, "audit": _audit}

decode_site = json.Decoder(Site).decode
