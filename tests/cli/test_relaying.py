"""``skerry bus relay`` and ``skerry tables …`` beside apps that are not written with Skerry."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect

from skerry.bus.driver import Subscription
from skerry.data import fixtures, schema

from .conftest import Ran, spawn
from .test_bus import do, waiting

Run = Callable[..., Ran]
TABLES = {"skerry_schema", "skerry_outbox", "skerry_inbox", "skerry_idempotency"}
url = fixtures.fresh_url()

DB_API = """
import sqlite3, sys
from skerry import event, publish_with
from msgspec import Struct

@event("a.settled", key="id")
class Settled(Struct):
    id: str

connection = sqlite3.connect(sys.argv[1])
connection.execute("CREATE TABLE IF NOT EXISTS orders (id TEXT)")
for id in sys.argv[2:]:
    connection.execute("INSERT INTO orders VALUES (?)", (id,))
    publish_with(connection, Settled(id))
    connection.commit()
"""

DJANGO = """
import sys
import django
from django.conf import settings
from msgspec import Struct
from skerry import event, publish_with

database = {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}
settings.configure(DATABASES={"default": database})
django.setup()
from django.db import connection, transaction

@event("a.settled", key="id")
class Settled(Struct):
    id: str

for id in sys.argv[2:]:
    with transaction.atomic():
        publish_with(connection, Settled(id))
"""


@pytest.fixture
def shop(empty: Path) -> Path:
    """The database of an app, with nothing of Skerry's; in the current folder, beside a bus."""
    sqlite3.connect(empty / "shop.db").execute("CREATE TABLE orders (id TEXT)")
    do(empty / "bus.db", lambda d: d.declare([Subscription("ledger.book", ("a.settled",))]))
    return empty


@pytest.fixture
def database(shop: Path, run: Run) -> str:
    """The same with Skerry's tables."""
    url = f"sqlite:///{shop / 'shop.db'}"
    assert run("tables", "apply", "--database", url).status == 0
    return url


def publish(program: str, shop: Path, *ids: str) -> None:
    subprocess.run([sys.executable, "-c", program, shop / "shop.db", *ids], check=True, timeout=60)


@contextmanager
def relaying(shop: Path, database: str) -> Iterator[subprocess.Popen[str]]:
    words = ["bus", "relay", "--app", "shop", "--bus", f"sqlite:///{shop / 'bus.db'}"]
    with subprocess.Popen(
        [sys.executable, "-m", "skerry.cli.main", *words],
        env={**os.environ, "DATABASE_URL": database},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str], what: str) -> None:
    """Read its lines until one has ``what``."""
    assert process.stderr is not None
    assert any(what in line for line in process.stderr), f"it ended without a word of {what!r}"


# Relaying


@pytest.mark.parametrize("program", [DB_API, DJANGO], ids=["DB-API", "Django"])
def test_it_relays_until_it_is_told_to_stop(shop: Path, database: str, program: str) -> None:
    with relaying(shop, database) as process:
        said(process, "shop: the outbox is published; 0 events wait in it")
        publish(program, shop, "o1", "o2")
        process.send_signal(signal.SIGTERM)  # what has been committed is published still
        said(process, "shop: ended, with 2 events published")
        assert process.wait(30) == 0
    assert waiting(shop / "bus.db") == [{"id": "o1"}, {"id": "o2"}]


def test_after_kill_minus_9_another_goes_on(shop: Path, database: str) -> None:
    publish(DB_API, shop, "o1")
    with relaying(shop, database) as process:
        said(process, "the outbox is published")
        process.kill()
        process.wait()
    publish(DB_API, shop, "o2")
    with relaying(shop, database) as process:
        said(process, "the outbox is published")
        process.send_signal(signal.SIGINT)
        said(process, "ended")
        assert process.wait(30) == 0
    found = waiting(shop / "bus.db")
    assert [each for n, each in enumerate(found) if each not in found[:n]] == [
        {"id": "o1"},
        {"id": "o2"},
    ]


def test_once_is_for_now(shop: Path, database: str, run: Run) -> None:
    publish(DB_API, shop, "o1", "o2", "o3")
    words = ("--app", "shop", "--once", "--database", database)
    bus = ("--bus", f"sqlite:///{shop / 'bus.db'}")
    assert "3 events published to sqlite:///" in run("bus", "relay", *words, *bus).err
    assert "0 events published" in run("bus", "relay", *words, *bus).err
    publish(DB_API, shop, "o4")
    away = run("bus", "relay", *words, "--bus", "amqp://127.0.0.1:1/")
    assert away.status == 1
    assert "the bus at amqp://127.0.0.1:1/: " in away.err


def test_what_is_missing_is_named(shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("SKERRY_BUS", raising=False)
    relay = ("bus", "relay", "--app", "shop")
    bus = ("--bus", f"sqlite:///{shop / 'bus.db'}")
    ran = run(*relay, *bus)
    assert ran.status == 2 and "whose database? Say --database URL, or set DATABASE_URL" in ran.err
    ran = run(*relay, *bus, "--database", "sqlite:///nowhere.db")
    assert ran.status == 1 and "there is no database nowhere.db" in ran.err
    ran = run(*relay, *bus, "--database", "sqlite:///shop.db")
    assert ran.status == 1 and "make them: `skerry tables apply`" in ran.err
    ran = run(*relay, "--database", "sqlite:///shop.db")
    assert ran.status == 1 and "or name the bus: --bus URL, or SKERRY_BUS" in ran.err
    ran = run("bus", "relay", *bus)
    assert ran.status == 2 and "--app" in ran.err
    ran = spawn(*relay, *bus, "--database", "mysql://h/shop", cwd=shop)
    assert ran.status == 1 and "'mysql' is not a database" in ran.err


# Tables


def test_tables_are_made_once(shop: Path, url: str, run: Run) -> None:
    if url.startswith("sqlite"):
        url = f"sqlite:///{shop / 'shop.db'}"
    ran = run("tables", "apply", "--database", url)
    assert (ran.status, ran.err) == (0, f"made, at version {schema.VERSION}\n")
    ran = run("tables", "apply", "--database", url)
    assert (ran.status, ran.err) == (0, f"they are there, at version {schema.VERSION}\n")
    engine = create_engine(url)
    assert set(inspect(engine).get_table_names()) >= TABLES
    engine.dispose()


def test_old_tables_are_brought_up_to_date(shop: Path, run: Run) -> None:
    first = len(schema.statements("sqlite")) - len(schema.statements("sqlite", 1))
    connection = sqlite3.connect(shop / "shop.db")
    for statement in schema.statements("sqlite")[:first]:
        connection.execute(statement)
    connection.commit()
    ran = run("tables", "apply", "--database", f"sqlite:///{shop / 'shop.db'}")
    assert ran.err == f"brought from version 1 to {schema.VERSION}\n"


def test_a_database_that_refuses_is_quoted(postgresql: str, run: Run) -> None:
    ran = run("tables", "apply", "--database", postgresql.replace("/postgres?", "/nothing?"))
    assert ran.status == 1 and 'database "nothing" does not exist' in ran.err


@pytest.fixture
def postgresql() -> str:
    try:
        return fixtures.postgresql_url()
    except fixtures.NotInstalled as missing:
        pytest.skip(str(missing))


def test_the_sql_makes_them(empty: Path, run: Run) -> None:
    ran = run("tables", "sql", "sqlite")
    connection = sqlite3.connect(":memory:")
    connection.executescript(ran.out)
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    assert {name for (name,) in names} >= TABLES
    later = run("tables", "sql", "postgresql", "--from", "1").out
    assert "skerry_outbox (" not in later and "BYTEA" in later
    ran = run("tables", "sql", "sqlite", "--from", "99")
    assert ran.status == 2 and "there is no version 99" in ran.err


def test_the_revision_is_alembics(empty: Path, run: Run, url: str) -> None:
    (empty / "migrations/versions").mkdir(parents=True)
    (empty / "migrations/env.py").write_text(
        "from alembic import context\n"
        "context.configure(connection=context.config.attributes['connection'])\n"
        "with context.begin_transaction():\n    context.run_migrations()\n"
    )
    config = Config()
    config.set_main_option("script_location", str(empty / "migrations"))
    engine = create_engine(url)
    file = empty / "migrations/versions/skerry.py"
    ran = run("tables", "alembic", str(file), "--revision", "abc")
    assert ran.err == f"{file}: revision abc, after none\n"
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    assert set(inspect(engine).get_table_names()) >= TABLES
    engine.dispose()
    ran = run("tables", "alembic", str(file))
    assert ran.status == 1 and "is there already" in ran.err
    printed = run("tables", "alembic", "-", "--after", "abc", "--from", "1").out
    assert "down_revision = 'abc'" in printed and "skerry_outbox (" not in printed


def test_a_revision_is_not_its_own_parent(run: Run) -> None:
    ran = run("tables", "alembic", "-", "--revision", "a", "--after", "a")
    assert ran.status == 2 and ran.out == ""


def test_a_library_that_is_missing_is_named(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skerry.data.schema", None)
    ran = run("tables", "sql", "sqlite")
    assert ran.status == 1 and "pip install 'skerry[data,postgres]'" in ran.err
