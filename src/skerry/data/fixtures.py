"""Fixtures for pytest: an app's database, fresh for every test, on SQLite and on PostgreSQL.

In the ``conftest.py`` of an app::

    from skerry.data.fixtures import fresh_database

    database = fresh_database("quotes", HERE / "quotes" / "migrations")

A test that asks for ``database`` runs twice: on a new SQLite file, and on a PostgreSQL server
that is started once for the whole run. Where none is installed the second is skipped. Migrations
run once for each kind; every test gets a copy of what they made.
"""

from __future__ import annotations

import atexit
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from .database import Database
from .migrations import upgrade
from .throwaway import NotInstalled, postgresql

_numbers = itertools.count(1)


@cache
def postgresql_url() -> str:
    """The URL of this process's own PostgreSQL server; it ends with the process.

    Raises:
        NotInstalled: there is none.
    """
    stack = ExitStack()
    url = stack.enter_context(postgresql())
    atexit.register(stack.close)
    return url


def fresh_url(app: str = "", migrations: Path | None = None) -> Any:
    """A fixture: the URL of a database that nobody has used, of each kind in turn.

    Args:
        app: the schema that is migrated.
        migrations: Alembic's folder; without it the database is empty.
    """

    @pytest.fixture(params=["sqlite", "postgresql"])
    def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
        with _fresh(request.param, app, migrations, tmp_path) as url:
            yield url

    return database_url


def fresh_database(app: str, migrations: Path) -> Any:
    """A fixture: the ``Database`` of ``app`` as it is after all migrations."""

    @pytest.fixture(params=["sqlite", "postgresql"])
    def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
        with _fresh(request.param, app, migrations, tmp_path) as url:
            opened = Database(url, schema=app)
            try:
                yield opened
            finally:
                opened.close()

    return database


@contextmanager
def _fresh(kind: str, app: str, migrations: Path | None, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        file = folder / "test.db"
        if migrations is not None:
            shutil.copy(_sqlite_template(app, migrations), file)
        yield f"sqlite:///{file}"
        return
    try:
        server = postgresql_url()
    except NotInstalled as missing:
        pytest.skip(str(missing))
    template = "template1" if migrations is None else _postgresql_template(app, migrations)
    name = f"test_{next(_numbers)}"
    yield _make(server, name, template)
    _run(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@cache
def _sqlite_template(app: str, migrations: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="skerry-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _migrate(f"sqlite:///{folder / 'template.db'}", app, migrations)
    return folder / "template.db"


@cache
def _postgresql_template(app: str, migrations: Path) -> str:
    name = f"template_{next(_numbers)}"
    _migrate(_make(postgresql_url(), name, "template1"), app, migrations)
    return name


def _migrate(url: str, app: str, migrations: Path) -> None:
    database = Database(url, schema=app)
    upgrade(database.engine, migrations)
    database.close()


def _make(server: str, name: str, template: str) -> str:
    _run(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return server.replace("/postgres?", f"/{name}?")


def _run(server: str, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
