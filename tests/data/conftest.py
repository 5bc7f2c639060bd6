from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from skerry.data.throwaway import NotInstalled, postgresql


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    try:
        with postgresql() as url:
            yield url
    except NotInstalled as missing:
        pytest.skip(str(missing))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind that apps can use."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db"
        return
    server = request.getfixturevalue("postgresql_url")
    yield server
    engine = create_engine(server)
    with engine.begin() as connection:
        connection.execute(text('DROP SCHEMA IF EXISTS "books" CASCADE'))
    engine.dispose()
