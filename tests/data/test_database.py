from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path
from textwrap import dedent

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

from skerry.core.errors import ConfigError
from skerry.data import throwaway
from skerry.data.database import Database, data_folder, default_url, make_engine
from skerry.data.migrations import current, upgrade

ENV = """
    from alembic import context
    from sqlalchemy import MetaData
    from skerry.data.migrations import run

    run(context, MetaData(), app="books")
"""
FIRST = """
    import sqlalchemy as sa
    from alembic import op

    revision, down_revision = "0001", None

    def upgrade() -> None:
        op.create_table("books", sa.Column("id", sa.Integer, primary_key=True))
"""
SECOND_FAILS = """
    import sqlalchemy as sa
    from alembic import op

    revision, down_revision = "0002", "0001"

    def upgrade() -> None:
        op.create_table("authors", sa.Column("id", sa.Integer, primary_key=True))
        raise RuntimeError("half way")
"""


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    folder = tmp_path / "100% migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(dedent(ENV))
    (folder / "versions" / "0001.py").write_text(dedent(FIRST))
    return folder


@pytest.fixture
async def database(url: str, migrations: Path) -> AsyncIterator[Database]:
    async with Database.opened("books", url=url, migrations=migrations) as database:
        yield database


def count(session: Session) -> int:
    return session.execute(text("SELECT count(*) FROM books")).scalar_one()


def add(session: Session, id: int) -> None:
    session.execute(text("INSERT INTO books VALUES (:id)"), {"id": id})


async def test_what_a_write_does_is_there_for_the_next_read(database: Database) -> None:
    await database.ping()
    await database.write(add, 1)
    assert await database.read(count) == 1


async def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    def add_and_fail(session: Session) -> None:
        add(session, 1)
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(add_and_fail)
    assert await database.read(count) == 0


async def test_writers_that_read_first_never_lose_an_update(url: str, migrations: Path) -> None:
    """Two processes, each with several threads, all adding one more than they saw."""

    def add_next(session: Session) -> None:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("LOCK TABLE books"))
        add(session, count(session) + 1)

    async with (
        Database.opened("books", url=url, migrations=migrations) as one,
        Database.opened("books", url=url) as other,
    ):
        await asyncio.gather(*(db.write(add_next) for db in [one, other] * 15))
        assert await one.read(count) == 30


async def test_a_reader_sees_one_state_from_beginning_to_end(database: Database) -> None:
    seen, changed = threading.Event(), threading.Event()

    def twice(session: Session) -> tuple[int, int]:
        first = count(session)
        seen.set()
        assert changed.wait(5)
        return first, count(session)

    reading = asyncio.create_task(database.read(twice))
    await asyncio.to_thread(seen.wait, 5)
    await database.write(add, 1)
    changed.set()
    assert await reading == (0, 0)


async def test_work_sees_the_callers_context(database: Database) -> None:
    tenant: ContextVar[str] = ContextVar("tenant")
    tenant.set("mit")
    assert await database.read(lambda session: tenant.get()) == "mit"


async def test_sqlite_checks_foreign_keys(tmp_path: Path) -> None:
    async with Database.opened("books", url=f"sqlite:///{tmp_path}/x.db") as database:
        assert await database.read(lambda s: s.execute(text("PRAGMA foreign_keys")).scalar()) == 1


def test_instances_that_start_together_migrate_once(url: str, migrations: Path) -> None:
    engines = [make_engine(url, schema="books") for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda engine: upgrade(engine, migrations), engines))
    assert {current(engine) for engine in engines} == {"0001"}
    for engine in engines:
        engine.dispose()


def test_a_migration_that_fails_leaves_nothing_half_done(url: str, migrations: Path) -> None:
    (migrations / "versions" / "0002.py").write_text(dedent(SECOND_FAILS))
    engine = make_engine(url, schema="books")
    with pytest.raises(RuntimeError, match="half way"):
        upgrade(engine, migrations)
    assert current(engine) is None
    assert not inspect(engine).has_table("authors")
    assert not inspect(engine).has_table("books")
    engine.dispose()


async def test_apps_on_one_server_do_not_share_tables(
    postgresql_url: str, migrations: Path
) -> None:
    async with (
        Database.opened("books", url=postgresql_url, migrations=migrations) as books,
        Database.opened("films", url=postgresql_url) as films,
    ):
        await books.write(add, 1)
        assert not await films.read(lambda s: inspect(s.connection()).has_table("books"))


def test_the_file_lies_beside_the_control_socket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("SKERRY_CONTROL", str(tmp_path / ".skerry" / "control.sock"))
    assert data_folder() == tmp_path / ".skerry" / "data"
    assert default_url("books") == f"sqlite:///{tmp_path}/.skerry/data/books.db"
    assert data_folder().is_dir()


def test_a_url_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/x")
    assert default_url("books") == "postgresql://db.example/x"


@pytest.mark.parametrize("url", ["sqlite://", "mysql://x/y", "not a url"])
def test_a_database_nobody_prepared_for_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        make_engine(url)


async def test_what_is_wrong_with_the_url_names_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://host:port/name")
    with pytest.raises(ConfigError, match=r"^DATABASE_URL: .*postgresql://user:password@host"):
        async with Database.opened("quotes"):
            pass


def test_a_throwaway_server_ends_with_whoever_started_it() -> None:
    program = (
        "import os, signal\n"
        "from skerry.data.throwaway import postgresql\n"
        "with postgresql() as url:\n"
        "    print(url.rpartition('=')[2], flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    try:
        throwaway._binaries()
    except throwaway.NotInstalled as missing:
        pytest.skip(str(missing))
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    folder = Path(killed.stdout.strip())
    assert killed.returncode == -signal.SIGKILL
    for _ in range(500):
        if not folder.exists():
            return
        time.sleep(0.01)
    raise AssertionError("it is still there")


def test_instances_that_start_at_once_on_a_new_file_all_open_it(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from sqlalchemy import text\n"
        "from skerry.data.database import make_engine\n"
        "sys.stdin.read(1)\n"
        "for n in range(20):\n"
        "    engine = make_engine(f'sqlite:///{sys.argv[1]}/{n}.db')\n"
        "    with engine.begin() as connection:\n"
        "        connection.execute(text('CREATE TABLE IF NOT EXISTS t (x)'))\n"
        "    engine.dispose()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    pipe = subprocess.PIPE
    started = [subprocess.Popen(command, stdin=pipe, stderr=pipe) for _ in range(4)]
    time.sleep(0.8)  # all have imported what they need, so that they really meet
    for process in started:
        assert process.stdin is not None
        process.stdin.write(b"x")
        process.stdin.close()
    for process in started:
        assert process.stderr is not None
        said = process.stderr.read().decode()
        assert process.wait() == 0, said
