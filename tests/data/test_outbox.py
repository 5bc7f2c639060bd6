from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from skerry.core.clock import ManualClock
from skerry.core.errors import ConfigError
from skerry.data import schema
from skerry.data.database import Database
from skerry.data.enlist import enlist
from skerry.data.outbox import Outbox, Waiting
from skerry.data.records import Record
from skerry.data.transient import hasten


def of(id: str, key: str = "", **fields: Any) -> Record:
    return Record(id, "payments.settled", 1, b'{"cents": 1}', key, "payments", 1.5, **fields)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    schema.migrate(database.engine)
    yield database
    database.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def outbox(database: Database, clock: ManualClock) -> Outbox:
    return Outbox(database, clock)


async def publish(database: Database, *records: Record) -> None:
    await database.write(enlist, records)


async def claimed(outbox: Outbox, who: str, limit: int = 100, lease: float = 30.0) -> list[str]:
    return [claim.record.id for claim in await outbox.claim(limit, who, lease)]


async def send(outbox: Outbox, who: str, limit: int = 100) -> list[str]:
    claims = await outbox.claim(limit, who, 30.0)
    await outbox.sent(claim.seq for claim in claims)
    return [claim.record.id for claim in claims]


# Publishing in somebody's transaction


async def test_what_is_stored_is_what_was_given(database: Database, outbox: Outbox) -> None:
    given = Record(
        "1", "a.b", 3, b"\x00\xff{}", "k", "app", 12.25, {"baggage": "a=ü:1"}, 1_900_000_000.5
    )
    await publish(database, given, of("2"))
    first, second = await outbox.claim(10, "me", 30.0)
    assert (first.record, second.record) == (given, of("2"))


async def test_it_is_there_when_the_transaction_commits(database: Database, outbox: Outbox) -> None:
    with Session(database.engine) as session:
        enlist(session, [of("1")])
        session.rollback()
        enlist(session, [of("2")])
        with session.begin_nested() as savepoint:
            enlist(session, [of("3")])
            savepoint.rollback()
        session.commit()
    with database.engine.begin() as connection:
        enlist(connection, [of("4")])
    with database.engine.connect() as connection:
        enlist(connection, [of("5")])
        connection.rollback()
    assert await send(outbox, "me") == ["2", "4"]


def test_nothing_is_nothing(database: Database) -> None:
    with Session(database.engine) as session:
        enlist(session, [])
        assert not session.in_transaction()


async def test_sessions_of_a_scope(database: Database, outbox: Outbox) -> None:
    scope = scoped_session(sessionmaker(database.engine))
    enlist(scope, [of("1")])
    scope.commit()
    scope.remove()
    assert await send(outbox, "me") == ["1"]


async def test_a_session_for_reading_is_refused(database: Database) -> None:
    with pytest.raises(ConfigError, match="reading"):
        await database.read(enlist, [of("1")])


async def test_a_connection_that_commits_each_statement_is_refused(
    database: Database, outbox: Outbox
) -> None:
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection, pytest.raises(ConfigError, match="transaction first"):
            enlist(connection, [of("1")])
    plain = create_engine(database.engine.url, isolation_level="AUTOCOMMIT")
    with Session(plain) as session, pytest.raises(ConfigError, match="transaction first"):
        enlist(session, [of("1")])
    plain.dispose()
    assert await send(outbox, "me") == []


async def test_asynchronous_sessions_run_it_inside(database: Database, outbox: Outbox) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no asynchronous driver here")
    pytest.importorskip("greenlet", reason="pip install sqlalchemy[asyncio]")
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    engine = create_async_engine(database.engine.url)
    async with AsyncSession(engine) as session:
        with pytest.raises(ConfigError, match="run_sync"):
            enlist(session, [of("0")])
        await session.run_sync(enlist, [of("1")])
        await session.commit()
        await session.run_sync(enlist, [of("2")])
    async with engine.begin() as connection:
        await connection.run_sync(enlist, [of("3")])
    await engine.dispose()
    assert await send(outbox, "me") == ["1", "3"]


def plain(database: Database, **options: Any) -> Any:
    url = database.engine.url
    if url.get_backend_name() == "sqlite":
        assert url.database is not None
        options.setdefault("isolation_level", "DEFERRED")
        if options.pop("autocommit", False):
            options["isolation_level"] = None
        return sqlite3.connect(url.database, **options)
    return psycopg.connect(
        host=url.query["host"], user=url.username, dbname=url.database, **options
    )


async def test_a_plain_connection(database: Database, outbox: Outbox) -> None:
    connection = plain(database)
    enlist(connection, [of("1"), of("2", headers={"a": "b"})])
    assert await claimed(outbox, "me") == []
    connection.commit()
    enlist(connection, [of("3")])
    connection.rollback()
    assert await send(outbox, "me") == ["1", "2"]
    raw = database.engine.raw_connection()
    if database.engine.dialect.name == "sqlite":
        raw.cursor().execute("BEGIN")
    enlist(raw, [of("4")])
    raw.commit()
    raw.close()
    connection.close()
    assert await send(outbox, "me") == ["4"]


async def test_a_plain_connection_in_autocommit(database: Database, outbox: Outbox) -> None:
    connection = plain(database, autocommit=True)
    with pytest.raises(ConfigError, match="transaction first"):
        enlist(connection, [of("1")])
    connection.execute("BEGIN")
    enlist(connection, [of("2")])
    connection.execute("ROLLBACK")
    connection.execute("BEGIN")
    enlist(connection, [of("3")])
    connection.execute("COMMIT")
    connection.close()
    assert await send(outbox, "me") == ["3"]


class Modern:
    """What a ``sqlite3.Connection`` says of itself since Python 3.12."""

    isolation_level = ""

    def __init__(self, autocommit: Any, in_transaction: bool) -> None:
        self.autocommit = autocommit
        self.in_transaction = in_transaction


@pytest.mark.parametrize(
    ("autocommit", "in_transaction", "alone"),
    [(True, False, True), (True, True, False), (False, True, False), (-1, False, False)],
)
def test_sqlites_modern_autocommit(autocommit: Any, in_transaction: bool, alone: bool) -> None:
    from skerry.data.enlist import commits_each

    assert commits_each(Modern(autocommit, in_transaction)) is alone


class Named:
    """A DB-API connection of a module with another ``paramstyle``."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw

    def cursor(self) -> sqlite3.Cursor:
        return self.raw.cursor()

    def commit(self) -> None:
        self.raw.commit()


@pytest.mark.parametrize("style", ["named", "numeric", "qmark"])
def test_other_paramstyles(style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "paramstyle", style, raising=False)
    monkeypatch.setattr(Named, "__module__", __name__)
    raw = sqlite3.connect(tmp_path / "x.db")
    for statement in schema.statements("sqlite"):
        raw.execute(statement)
    enlist(Named(raw), [of("1"), of("2")])
    assert raw.execute("SELECT id FROM skerry_outbox").fetchall() == [("1",), ("2",)]
    raw.close()


class Stranger:
    def cursor(self) -> None: ...

    def commit(self) -> None: ...


@pytest.mark.parametrize("thing", [None, "x", object(), Stranger()])
def test_what_cannot_publish_is_refused(thing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stranger, "__module__", "nowhere")
    with pytest.raises(ConfigError):
        enlist(thing, [of("1")])


DJANGO = """
import sys
from pathlib import Path
from threading import Lock
import django
from django.conf import settings

settings.configure(DATABASES={"default": %s})
django.setup()
from django.db import connection, transaction
from skerry.core.errors import ConfigError
from skerry.data.enlist import enlist, listen
from skerry.data.records import Record
from skerry.data.transient import hasten
from sqlalchemy import make_url

woken = []
listen(make_url("sqlite:///whatever"), lambda: woken.append(1))
of = lambda id: Record(id, "a", 1, b"100%%", headers={"x": "%%s"})
try:
    enlist(connection, [of("0")])
except ConfigError as error:
    assert "atomic" in str(error)
else:
    raise AssertionError
with transaction.atomic():
    enlist(connection, [of("1")])
    assert not woken
assert woken == [1]
try:
    with transaction.atomic():
        enlist(connection, [of("2")])
        raise KeyError
except KeyError:
    pass
transaction.set_autocommit(False)
enlist(connection, [of("3")])
transaction.commit()
"""


async def test_django(database: Database, outbox: Outbox) -> None:
    url = database.engine.url
    if url.get_backend_name() == "sqlite":
        settings = {"ENGINE": "django.db.backends.sqlite3", "NAME": url.database}
    else:
        settings = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": url.database,
            "USER": url.username,
            "HOST": url.query["host"],
        }
    program = DJANGO % repr(settings)
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], check=True)
    found = await outbox.claim(10, "me", 30.0)
    assert [claim.record.id for claim in found] == ["1", "3"]
    assert found[0].record.body == b"100%"
    assert found[0].record.headers == {"x": "%s"}


# Who is told of commits


async def test_those_who_listen_are_told_after_the_commit(
    database: Database, outbox: Outbox
) -> None:
    told: list[int] = []
    end = outbox.on_commit(lambda: told.append(1))
    with Session(database.engine) as session:
        enlist(session, [of("1")])
        with session.begin_nested():
            enlist(session, [of("2")])
        assert told == []
        session.commit()
        assert told == [1]
        session.execute(text("SELECT 1"))
        session.commit()  # nothing was published in this one
        assert told == [1]
        enlist(session, [of("3")])
        session.commit()
        assert told == [1, 1]
    with database.engine.connect() as connection:
        enlist(connection, [of("4")])
        assert told == [1, 1]
        connection.commit()
        assert told == [1, 1, 1]
        connection.execute(text("SELECT 1"))
        connection.commit()
        assert told == [1, 1, 1]
    end()
    await publish(database, of("5"))
    assert told == [1, 1, 1]


async def test_commits_elsewhere_are_nobodys_business(database: Database, tmp_path: Path) -> None:
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    told: list[int] = []
    end = Outbox(other).on_commit(lambda: told.append(1))
    await publish(database, of("1"))
    assert told == []
    end()
    other.close()


# Claims


async def test_rows_are_claimed_by_one_at_a_time(
    database: Database, outbox: Outbox, clock: ManualClock
) -> None:
    await publish(database, *(of(str(n)) for n in range(5)))
    assert await claimed(outbox, "a", 2) == ["0", "1"]
    assert await claimed(outbox, "b", 2) == ["2", "3"]
    assert await claimed(outbox, "a", 2) == ["4"]
    assert await claimed(outbox, "b", 2) == []
    await clock.advance(29.9)
    assert await claimed(outbox, "b") == []
    await clock.advance(0.1)
    assert await claimed(outbox, "b") == ["0", "1", "2", "3", "4"]


async def test_what_was_sent_is_gone_and_what_was_released_is_back(
    database: Database, outbox: Outbox
) -> None:
    await publish(database, of("1"), of("2"), of("3"))
    one, two, three = await outbox.claim(10, "a", 30.0)
    await outbox.sent([one.seq])
    await outbox.release([one.seq, two.seq], "a")
    await outbox.release([three.seq], "somebody else")
    assert await claimed(outbox, "b") == ["2"]


async def test_the_order_of_a_key_is_one_relays_at_a_time(
    database: Database, outbox: Outbox, clock: ManualClock
) -> None:
    await publish(database, of("k1", "k"), of("k2", "k"), of("j1", "j"), of("x"), of("k3", "k"))
    first = await outbox.claim(1, "a", 30.0)
    assert [claim.record.id for claim in first] == ["k1"]
    assert await claimed(outbox, "b") == ["j1", "x"]
    assert await claimed(outbox, "a") == []  # ours, but not in this batch
    await outbox.release([first[0].seq], "a")
    assert await claimed(outbox, "b", 2) == ["k1", "k2"]
    await clock.advance(30.0)
    assert await claimed(outbox, "a") == ["k1", "k2", "j1", "x", "k3"]


async def test_a_long_queue_of_one_key_does_not_hide_the_others(
    database: Database, outbox: Outbox
) -> None:
    await publish(database, *(of(f"k{n}", "k") for n in range(1_000)), of("x"), of("j", "j"))
    assert len(await claimed(outbox, "a", 10)) == 10
    assert await claimed(outbox, "b", 10) == ["x", "j"]


async def test_a_transaction_that_commits_later_is_not_overlooked(postgresql: Database) -> None:
    outbox = Outbox(postgresql)
    with Session(postgresql.engine) as slow:
        enlist(slow, [of("slow")])
        await publish(postgresql, of("quick"))
        assert await send(outbox, "a") == ["quick"]
        slow.commit()
    assert await send(outbox, "a") == ["slow"]


async def test_rows_that_somebody_has_locked_are_not_waited_for(postgresql: Database) -> None:
    outbox = Outbox(postgresql)
    await publish(postgresql, of("k1", "k"), of("k2", "k"), of("x"))
    with postgresql.engine.connect() as other:
        other.execute(text("SELECT 1 FROM skerry_outbox WHERE id = 'k1' FOR UPDATE"))
        async with asyncio.timeout(5):
            # k2 is free to be locked, and yet must not be claimed.
            assert await claimed(outbox, "a") == ["x"]
        other.rollback()
    assert await claimed(outbox, "a") == ["k1", "k2"]


@pytest.fixture
def postgresql(database: Database) -> Database:
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer")
    return database


async def test_how_much_waits(database: Database, outbox: Outbox) -> None:
    assert await outbox.waiting() == Waiting(0, None)
    await publish(database, of("1"), of("2"))
    await outbox.claim(1, "a", 30.0)
    assert await outbox.waiting() == Waiting(2, 1.5)
    await send(outbox, "a")
    assert await outbox.waiting() == Waiting(1, 1.5)


async def test_old_rows_are_deleted_when_they_were_sent(
    database: Database, outbox: Outbox, clock: ManualClock
) -> None:
    await publish(database, *(of(str(n)) for n in range(1_500)))
    await send(outbox, "a", 1_400)
    await clock.advance(50.0)
    await send(outbox, "a", 50)
    assert await outbox.clean(60.0) == 0
    await clock.advance(11.0)
    assert [await outbox.clean(60.0) for _ in range(4)] == [1_000, 400, 0, 0]
    assert (await outbox.waiting()).count == 50


def explain(connection: Connection, statement: str, values: dict[str, Any]) -> str:
    analyse = "EXPLAIN " if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
    rows = connection.execute(text(analyse + statement), values)
    return "\n".join(str(row[-1]) for row in rows)


async def test_what_was_sent_costs_nothing(database: Database, outbox: Outbox) -> None:
    from skerry.data import outbox as module

    numbers = (
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers"
        " WHERE n < 50000)"
    )
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO skerry_outbox"
                " (id, topic, version, body, key, source, time, headers, sent)"
                f" {numbers} SELECT 'x', 't', 1, '', 'k', '', 0, '{{}}', 1 FROM numbers"
            )
        )
    with database.engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    await publish(database, of("1", "k"), of("2", "k"), of("3"))
    with database.engine.connect() as connection:
        hasten(Session(connection))
        values = {"now": 1.0, "limit": 100, "window": 2_000}
        plan = explain(connection, str(module._LOOK.text), values)
        assert "skerry_outbox_unsent" in plan
        assert "Seq Scan" not in plan  # PostgreSQL's words
        assert "SCAN skerry_outbox\n" not in plan  # SQLite's
        waiting = explain(connection, str(module._WAITING.text), {})
        assert "skerry_outbox_unsent" in waiting
    began = time.perf_counter()
    assert await claimed(outbox, "a") == ["1", "2", "3"]
    assert time.perf_counter() - began < 5


# Several relays, and transactions that come as they like


class Turmoil:
    """Publishers that overlap, and relays that die, stop half way, give back or come too late.

    Attributes:
        accepted: what a broker would have been given, by each publication.
    """

    def __init__(self, url: str, seed: int, *, lease: float, trouble: bool) -> None:
        self.url = url
        self.seed = seed
        self.lease = lease
        self.trouble = trouble
        self.keys = {key: Lock() for key in "abc"}
        self.accepted: list[Record] = []
        self.counts: Counter[str] = Counter()
        self.left = 4
        self.lock = Lock()

    def publisher(self, number: int) -> None:
        """Publishes with a key only while it has it locked, as an UPDATE of its row would."""
        chance = random.Random(f"{self.seed} {number}")
        database = Database(self.url, connections=1)
        for n in range(30):
            key = chance.choice(["", *self.keys])
            with self.keys.get(key, nullcontext()), Session(database.engine) as session:
                many = chance.randint(1, 3)
                name = f"{key or number}-"
                first = self.counts[key] if key else n * 3
                enlist(session, [of(f"{name}{first + i}", key) for i in range(many)])
                time.sleep(chance.random() * 0.005)
                if chance.random() < 0.2:
                    session.rollback()
                    continue
                session.commit()
                if key:
                    self.counts[key] += many
                else:
                    self.counts[f"{number}{n}"] += many
        with self.lock:
            self.left -= 1
        database.close()

    async def relay(self, number: int) -> None:
        chance = random.Random(f"{self.seed} relay {number}")
        database = Database(self.url, connections=1)
        outbox = Outbox(database)
        while True:
            done = self.left == 0
            who = f"{number} {chance.random()}"
            claims = await outbox.claim(chance.randint(1, 12), who, self.lease)
            if not claims and done and (await outbox.waiting()).count == 0:
                break
            fate = chance.random() if self.trouble else 1.0
            if fate < 0.1:
                continue  # died before it published
            if fate < 0.2:
                await asyncio.sleep(self.lease * 1.5)  # is taken for dead, and goes on
            many = chance.randint(0, len(claims)) if fate < 0.3 else len(claims)
            for claim in claims[:many]:
                self.accepted.append(claim.record)
                await asyncio.sleep(0)
            if 0.3 < fate < 0.4:
                continue  # died before it could mark them
            await outbox.sent(claim.seq for claim in claims[:many])
            await outbox.release([claim.seq for claim in claims[many:]], who)
            await asyncio.sleep(chance.random() * 0.005)
        await asyncio.to_thread(database.close)

    async def run(self) -> None:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(asyncio.to_thread(self.publisher, number))
            for number in range(3):
                group.create_task(self.relay(number))


@pytest.mark.parametrize("seed", range(3))
async def test_relays_never_share_a_row_and_keep_the_order_of_keys(
    database: Database, url: str, seed: int
) -> None:
    turmoil = Turmoil(url, seed, lease=30.0, trouble=False)
    await turmoil.run()
    ids = [record.id for record in turmoil.accepted]
    assert len(ids) == len(set(ids)) == turmoil.counts.total()
    assert_ordered(turmoil)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_to_relays_all_is_published_in_order(
    database: Database, url: str, seed: int
) -> None:
    turmoil = Turmoil(url, seed, lease=0.1, trouble=True)
    await turmoil.run()
    assert len({record.id for record in turmoil.accepted}) == turmoil.counts.total()
    assert_ordered(turmoil)


def assert_ordered(turmoil: Turmoil) -> None:
    """The first publication of each row comes in the order in which its key was published."""
    for key in turmoil.keys:
        first = list(dict.fromkeys(r.id for r in turmoil.accepted if r.key == key))
        assert first == [f"{key}-{n}" for n in range(turmoil.counts[key])]
