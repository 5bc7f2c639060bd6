"""Publishing inside a transaction that is the caller's own.

What is enlisted is rows like any others: they are there when the transaction commits, and never
were when it rolls back. Which library the transaction belongs to makes no difference::

    enlist(session, records)                    # SQLAlchemy: a Session or a Connection
    await session.run_sync(enlist, records)     # its AsyncSession or AsyncConnection
    enlist(django.db.connection, records)       # Django, within atomic()
    enlist(connection, records)                 # sqlite3, psycopg: any PEP 249 connection

Nothing is committed here, and a connection that would commit each statement by itself is
refused: an event must not leave without what it speaks of, nor stay behind.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import URL, Connection, event, text
from sqlalchemy.orm import Session, scoped_session

from skerry.core.errors import ConfigError

from .records import COLUMNS, Record

_PLACES: dict[str, Callable[[int, str], str]] = {  # PEP 249, paramstyle
    "qmark": lambda n, name: "?",
    "numeric": lambda n, name: f":{n}",
    "named": lambda n, name: f":{name}",
    "format": lambda n, name: "%s",
    "pyformat": lambda n, name: "%s",
}

_AUTOCOMMIT = (
    "{} commits every statement by itself, so an event could leave without what it speaks of; "
    "begin a transaction first"
)
_NOTED = "skerry_enlisted"

_numbers = itertools.count()
_listeners: dict[int, tuple[URL, Callable[[], object]]] = {}


def enlist(where: Any, records: Sequence[Record]) -> None:
    """Publish ``records``, in this order, if and when the open transaction commits.

    Where connections begin transactions of themselves, as PEP 249 has it, the caller need not
    have begun one. The tables are looked up as the caller's own are (``search_path``).

    Args:
        where: a SQLAlchemy ``Session``, ``scoped_session`` or ``Connection``; Django's
            ``connection``; or a PEP 249 connection.

    Raises:
        ConfigError: it is none of these, or it commits statements one by one, or is for
            reading. Of a PEP 249 connection this is known if it says so by ``autocommit``, or
            is of ``sqlite3`` or psycopg.
    """
    if hasattr(where, "run_sync"):
        raise ConfigError(
            "an asynchronous session publishes from within: `await session.run_sync(enlist, …)`"
        )
    if isinstance(where, scoped_session):
        where = where()
    if not records:
        return
    if isinstance(where, Session):
        connection = where.connection()
        _sqlalchemy(connection, records)
        _note(where, connection.engine.url)
    elif isinstance(where, Connection):
        _sqlalchemy(where, records)
        url = where.engine.url
        # It comes right before the COMMIT; whoever is woken looks more than once.
        event.listen(where, "commit", lambda connection: committed(url), once=True)
    else:
        connection, places = insertable(where, COLUMNS)
        _insert(connection, places, records)
        if getattr(where, "in_atomic_block", False):
            where.on_commit(lambda: committed(None))


def insertable(where: Any, columns: Sequence[str]) -> tuple[Any, list[str]]:
    """What has a cursor in the open transaction of ``where``, and the places of parameters.

    Args:
        where: as ``enlist`` takes it.
        columns: what a row has; their places are as ``:name`` where parameters have names.

    Raises:
        ConfigError: as ``enlist`` does.
    """
    if isinstance(where, scoped_session):
        where = where()
    if isinstance(where, Session):
        where = where.connection()
    if isinstance(where, Connection):
        _begin(where)
        where = where.connection.dbapi_connection
    style = ""
    if hasattr(where, "in_atomic_block") and hasattr(where, "get_autocommit"):
        if where.get_autocommit() and not where.in_atomic_block:
            raise ConfigError(_AUTOCOMMIT.format("Django's connection, outside of atomic(),"))
        style = "format"
    elif hasattr(where, "cursor") and hasattr(where, "commit"):
        raw = getattr(where, "dbapi_connection", where)  # SQLAlchemy's raw_connection()
        if commits_each(raw):
            raise ConfigError(_AUTOCOMMIT.format(_named(raw)))
        where, style = raw, _paramstyle(raw)
    else:
        raise ConfigError(
            f"{_named(where)} is nothing to publish with: a SQLAlchemy session or connection, "
            "Django's connection, or a DB-API connection"
        )
    return where, [_PLACES[style](n, name) for n, name in enumerate(columns, 1)]


def listen(url: URL, callback: Callable[[], object]) -> Callable[[], None]:
    """Have ``callback()`` called when something that was enlisted has been committed.

    It is called in whatever thread committed, by this process only, now and then for nothing,
    and not for PEP 249 connections, which tell nobody; so whoever listens must look by
    themselves every now and then.

    Args:
        url: of the database; commits in others do not matter.

    Returns:
        what ends it.
    """
    number = next(_numbers)
    _listeners[number] = url, callback

    def end() -> None:
        _listeners.pop(number, None)

    return end


def committed(url: URL | None) -> None:
    """Tell those who listen; None where nobody knows which database it was."""
    for listened, callback in list(_listeners.values()):
        if url is None or url == listened:
            callback()


def commits_each(raw: Any) -> bool:
    """Whether a PEP 249 connection would commit one statement by itself, as far as it says."""
    if hasattr(raw, "in_transaction"):  # sqlite3
        modern = getattr(raw, "autocommit", -1)  # Python 3.12; -1 is what it was before
        alone = raw.isolation_level is None if modern == -1 else modern is True
        return alone and not raw.in_transaction
    info = getattr(raw, "info", None)
    idle = getattr(info, "transaction_status", 0) == 0  # libpq's PQTRANS_IDLE
    return getattr(raw, "autocommit", False) is True and idle


def _sqlalchemy(connection: Connection, records: Sequence[Record]) -> None:
    _begin(connection)
    connection.execute(_INSERT, [dict(zip(COLUMNS, r.row(), strict=True)) for r in records])


def _begin(connection: Connection) -> None:
    """See that it has a transaction, and one that can be written in."""
    options = connection.get_execution_options()
    if options.get("skerry_read_only") or options.get("postgresql_readonly"):
        raise ConfigError("this session is for reading: what it publishes would be lost")
    if not connection.in_transaction():
        connection.begin()
    raw = connection.connection.dbapi_connection
    if commits_each(raw):
        raise ConfigError(_AUTOCOMMIT.format(_named(connection)))


def _note(session: Session, url: URL) -> None:
    if _NOTED not in session.info:
        event.listen(session, "after_commit", _session_committed)
    session.info[_NOTED] = url


def _session_committed(session: Session) -> None:
    if not session.in_nested_transaction() and (url := session.info[_NOTED]) is not None:
        session.info[_NOTED] = None
        committed(url)


def _insert(connection: Any, places: Sequence[str], records: Sequence[Record]) -> None:
    rows: list[Any] = [record.row() for record in records]
    if places[0] == ":id":
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    with closing(connection.cursor()) as cursor:
        cursor.executemany(_statement(places), rows)


def _statement(places: Sequence[str]) -> str:
    return f"INSERT INTO skerry_outbox ({', '.join(COLUMNS)}) VALUES ({', '.join(places)})"


_INSERT = text(_statement([f":{name}" for name in COLUMNS]))


def _paramstyle(raw: Any) -> str:
    """What the module says that the connection's class, or one it is made from, is in."""
    for kind in type(raw).__mro__:
        parts = kind.__module__.split(".")
        for end in range(len(parts), 0, -1):
            style = getattr(sys.modules.get(".".join(parts[:end])), "paramstyle", None)
            if style in _PLACES:
                return str(style)
    raise ConfigError(f"{_named(raw)} comes from no module with a `paramstyle` (PEP 249)")


def _named(value: Any) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"
