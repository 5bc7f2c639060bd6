"""An event is handled once, in whatever transaction it is handled in."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.orm import Session

from skerry.core.errors import ConfigError
from skerry.data import schema
from skerry.data.database import Database
from skerry.data.fixtures import fresh_url
from skerry.data.inbox import Inbox
from skerry.data.once import first

url = fresh_url()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    schema.migrate(database.engine)
    yield database
    database.close()


def connect(database: Database) -> Any:
    """A connection of the library itself."""
    url = database.engine.url
    if url.get_backend_name() == "sqlite":
        return sqlite3.connect(str(url.database), timeout=30, check_same_thread=False)
    return psycopg.connect(host=str(url.query["host"]), user=url.username, dbname=url.database)


def test_it_is_so_for_who_commits_first(database: Database) -> None:
    connection = connect(database)
    assert first(connection, "shop.book", "e1", 1, 10.0)
    connection.rollback()
    assert first(connection, "shop.book", "e1", 2, 10.0)
    assert not first(connection, "shop.book", "e1", 2, 10.0)
    assert first(connection, "shop.book", "e2", 1, 10.0)
    assert first(connection, "shop.mail", "e1", 1, 10.0)
    connection.commit()
    assert not first(connection, "shop.book", "e1", 3, 10.0)
    connection.close()
    with Session(database.engine) as session:
        assert not first(session, "shop.book", "e1", 4, 10.0)
        assert first(session, "shop.book", "e3", 1, 10.0)
        session.commit()


def test_who_comes_at_the_same_time_waits_for_it(database: Database) -> None:
    mine, his = connect(database), connect(database)
    assert first(mine, "shop.book", "e1", 1, 10.0)
    found: list[bool] = []
    waiting = threading.Thread(target=lambda: found.append(first(his, "shop.book", "e1", 2, 10.0)))
    waiting.start()
    waiting.join(0.3)
    assert found == []
    mine.commit()
    waiting.join(30)
    assert found == [False]
    mine.close()
    his.close()


async def test_the_inbox_forgets_it_in_time(database: Database) -> None:
    connection = connect(database)
    assert first(connection, "shop.book", "e1", 1, 10.0)
    connection.commit()
    assert await Inbox(database).clean() == 1
    assert first(connection, "shop.book", "e1", 1, 10.0)
    connection.close()


def test_no_transaction_no_handling(tmp_path: Path) -> None:
    alone = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    with pytest.raises(ConfigError, match="begin a transaction first"):
        first(alone, "shop.book", "e1", 1, 10.0)
    with pytest.raises(ConfigError, match="is nothing to publish with"):
        first(object(), "shop.book", "e1", 1, 10.0)
