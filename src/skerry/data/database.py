"""One app's database: SQLite until somebody gives a URL, PostgreSQL then, by SQLAlchemy.

Work is a plain function of a ``Session``; it runs in a thread of its own pool, in one
transaction, and returns values::

    def find(session: Session, id: str) -> Quote: ...

    quote = await database.read(find, id)

So a transaction can never be open while its app waits for another app: there is no place to
write that ``await``. Plain sessions in a few threads were also the faster choice: SQLite has no
asynchronous interface (its asyncio drivers are a thread per connection), and on PostgreSQL a
thread hop costs less than SQLAlchemy's greenlets.

There are as many threads as connections. SQLite has one writer at a time, so it gets one
writing thread: waiting in a queue is fair, waiting in SQLite's busy handler is not. Other
processes on the same file are what ``busy_timeout`` is for.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from sqlite3 import OperationalError
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.orm import Session

from skerry.core.errors import ConfigError

from .traced import describe, recorded

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[Concatenate[Session, P], T]

_SNAPSHOT: dict[str, dict[str, Any]] = {
    "sqlite": {"skerry_read_only": True},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}

BUSY_SECONDS = 10.0
"""How long a writer waits for another process to finish with the same SQLite file."""


class Database:
    """Connections to one app's tables.

    Args:
        url: SQLAlchemy's; ``postgresql://`` means psycopg 3.
        schema: PostgreSQL only: every name without a schema means this one, which is made if
            it is missing. Apps that share a server do not see each other's tables.
        connections: how many read, and on PostgreSQL how many write, at the same time.
    """

    def __init__(self, url: str, *, schema: str | None = None, connections: int = 4) -> None:
        self.engine = make_engine(url, schema=schema, connections=connections)
        one_writer = self.engine.dialect.name == "sqlite"
        self._described = describe(self.engine.url)
        self._readers = ThreadPoolExecutor(connections, thread_name_prefix="db-read")
        self._writers = ThreadPoolExecutor(
            1 if one_writer else connections, thread_name_prefix="db-write"
        )

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        app: str,
        *,
        url: str = "",
        migrations: Path | None = None,
        connections: int = 4,
    ) -> AsyncIterator[Database]:
        """The database of ``app``, migrated to the newest revision; closed at the end.

        Args:
            app: names the SQLite file, or the PostgreSQL schema.
            url: overrides ``DATABASE_URL``; without either, a file in ``data_folder()``.
            migrations: Alembic's folder.

        Raises:
            ConfigError: the URL is not one of a database that can be used.
        """
        try:
            database = cls(url or default_url(app), schema=app, connections=connections)
        except ConfigError as error:
            if url:
                raise
            like = "postgresql://user:password@host/name or sqlite:////folder/file.db"
            raise ConfigError(f"DATABASE_URL: {error}; it should look like {like}") from None
        try:
            if migrations is not None:
                from skerry.data.migrations import upgrade

                await asyncio.to_thread(upgrade, database.engine, migrations)
            yield database
        finally:
            await asyncio.to_thread(database.close)

    async def read(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``work(session, …)`` on one consistent state of the data. What it writes is lost."""
        return await self._call("read", self._readers, self.reading, work, args, kwargs)

    async def write(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``work(session, …)`` in one transaction: all of it happens, or, if it raises, none."""
        return await self._call("write", self._writers, self.writing, work, args, kwargs)

    async def ping(self) -> None:
        """Raise unless the database answers."""
        await self.read(lambda session: session.execute(text("SELECT 1")).scalar_one())

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for reading, in the caller's thread: for scripts and tests."""
        with self.engine.connect() as connection:
            connection.execution_options(**_SNAPSHOT[connection.dialect.name])
            with Session(connection, expire_on_commit=False) as session:
                yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose transaction commits at the end, in the caller's thread."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Let what runs finish, then let go of the connections."""
        self._readers.shutdown()
        self._writers.shutdown()
        self.engine.dispose()

    async def _call(
        self,
        verb: str,
        threads: ThreadPoolExecutor,
        transaction: Callable[[], Any],
        work: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> T:
        with recorded(verb, work, self._described) as begins:

            def call() -> T:
                begins()
                with transaction() as session:
                    return work(session, *args, **kwargs)

            context = contextvars.copy_context()
            return await asyncio.get_running_loop().run_in_executor(threads, context.run, call)


def default_url(app: str) -> str:
    """``DATABASE_URL``, or a SQLite file of the app's own."""
    given = os.environ.get("DATABASE_URL")
    if given:
        return given
    folder = data_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / app}.db"


def data_folder() -> Path:
    """Where the fleet keeps its state, ``.skerry/data``: beside the control socket, if any."""
    control = os.environ.get("SKERRY_CONTROL")
    return (Path(control).parent if control else Path(".skerry").absolute()) / "data"


def make_engine(url: str, *, schema: str | None = None, connections: int = 4) -> Engine:
    """An engine with the settings that an app with several instances needs.

    Raises:
        ConfigError: a URL that cannot be read, or a database nobody made an arrangement for.
    """
    try:
        parsed = make_url(url)
    except Exception as error:
        raise ConfigError(f"this database URL cannot be read: {error}") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _sqlite(parsed, connections)
    if backend in ("postgresql", "postgres"):
        return _postgresql(parsed.set(drivername="postgresql+psycopg"), schema, connections)
    raise ConfigError(f"{backend!r} is not a database this app can use: sqlite or postgresql")


def _sqlite(url: URL, connections: int) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise ConfigError("a SQLite database in memory belongs to one thread; name a file")
    engine = create_engine(
        url, pool_size=connections + 1, max_overflow=0, connect_args={"timeout": BUSY_SECONDS}
    )

    @event.listens_for(engine, "connect")
    def configure(raw: Any, record: object) -> None:
        raw.isolation_level = None  # the driver's own idea of BEGIN comes too late
        _write_ahead(raw)
        raw.execute("PRAGMA synchronous=NORMAL")
        raw.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads and then writes must hold the write lock from its start:
        # SQLite refuses to upgrade one that has read what another has changed since.
        reads = connection.get_execution_options().get("skerry_read_only", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _write_ahead(raw: Any) -> None:
    """Switch a database to its write-ahead log.

    Whoever does so first needs the file to itself for a moment, and SQLite does not wait for
    that: of two instances that start at once on a new file, one is refused. It tries again.
    """
    for _ in range(int(BUSY_SECONDS / 0.01)):
        try:
            raw.execute("PRAGMA journal_mode=WAL")
        except OperationalError as error:
            if "locked" not in str(error):
                raise
            time.sleep(0.01)
        else:
            return
    raw.execute("PRAGMA journal_mode=WAL")


def _postgresql(url: URL, schema: str | None, connections: int) -> Engine:
    options = {"options": f'-c search_path="{schema}" -c timezone=UTC'} if schema else {}
    engine = create_engine(
        url, pool_size=2 * connections, max_overflow=0, pool_pre_ping=True, connect_args=options
    )
    if schema:
        made = threading.Event()

        @event.listens_for(engine, "connect")
        def make_schema(raw: Any, record: object) -> None:
            if not made.is_set():
                # IF NOT EXISTS still fails when two make it at once, so they take turns.
                raw.execute("SELECT pg_advisory_xact_lock(hashtext('skerry:schema'))")
                raw.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
                raw.commit()
                made.set()

    return engine
