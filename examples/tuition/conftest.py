"""Every app of the fleet can be imported by its tests, and meets both kinds of database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from skerry.data.database import Database
from skerry.data.migrations import upgrade
from skerry.data.throwaway import NotInstalled, postgresql

HERE = Path(__file__).parent
APPS = ("schools", "quotes", "payments", "ledger", "bank", "portal")

sys.path[:0] = [str(HERE / app) for app in APPS if str(HERE / app) not in sys.path]


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    try:
        with postgresql() as url:
            yield url
    except NotInstalled as missing:
        pytest.skip(str(missing))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db"
        return
    server = request.getfixturevalue("postgresql_url")
    yield server
    engine = create_engine(server)
    with engine.begin() as connection:
        for app in APPS:
            connection.execute(text(f'DROP SCHEMA IF EXISTS "{app}" CASCADE'))
    engine.dispose()


@pytest.fixture
def app_name(request: pytest.FixtureRequest) -> str:
    """The app whose folder the test lies in."""
    return Path(request.path).relative_to(HERE).parts[0]


@pytest.fixture
def database(database_url: str, app_name: str) -> Iterator[Database]:
    """The app's own database, migrated to the newest revision."""
    database = Database(database_url, schema=app_name)
    upgrade(database.engine, Path(str(files(app_name))) / "migrations")
    yield database
    database.close()
