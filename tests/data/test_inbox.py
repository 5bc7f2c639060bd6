from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from skerry.core.clock import ManualClock
from skerry.data import schema
from skerry.data.database import Database
from skerry.data.inbox import Begun, Busy, Dead, Done, Fenced, Inbox, finish
from skerry.data.transient import Again, transient, unreachable, write

SUBSCRIPTION = "ledger.book"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    schema.migrate(database.engine)
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE effects (id TEXT NOT NULL)"))
    yield database
    database.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def inbox(database: Database, clock: ManualClock) -> Inbox:
    return Inbox(database, clock)


def work(session: Session, id: str, token: str) -> None:
    session.execute(text("INSERT INTO effects VALUES (:id)"), {"id": id})
    finish(session, SUBSCRIPTION, id, token)


def effects(session: Session) -> list[str]:
    return list(session.execute(text("SELECT id FROM effects ORDER BY id")).scalars())


async def begin(inbox: Inbox, token: str, id: str = "e1", **options: bool) -> object:
    return await inbox.begin(SUBSCRIPTION, id, token, 30.0, **options)


async def test_effects_and_the_end_are_one_transaction(database: Database, inbox: Inbox) -> None:
    assert await begin(inbox, "a") == Begun(1)
    with pytest.raises(ZeroDivisionError):
        await database.write(lambda s: (work(s, "e1", "a"), 1 / 0))
    await database.write(work, "e1", "a")
    assert await begin(inbox, "b") == Done()
    assert await database.read(effects) == ["e1"]


async def test_subscriptions_and_events_do_not_meet(inbox: Inbox) -> None:
    assert await begin(inbox, "a") == Begun(1)
    assert await begin(inbox, "b", "e2") == Begun(1)
    assert await inbox.begin("notify.tell", "e1", "c", 30.0) == Begun(1)


async def test_one_at_a_time_until_it_says_nothing(
    database: Database, inbox: Inbox, clock: ManualClock
) -> None:
    assert await begin(inbox, "a") == Begun(1)
    await clock.advance(10.0)
    assert await begin(inbox, "b") == Busy(20.0)
    await inbox.extend(SUBSCRIPTION, "e1", "a", 30.0)
    await clock.advance(29.0)
    assert await begin(inbox, "b") == Busy(1.0)
    await clock.advance(1.0)
    assert await begin(inbox, "b") == Begun(2)
    with pytest.raises(Fenced):
        await inbox.extend(SUBSCRIPTION, "e1", "a", 30.0)
    with pytest.raises(Fenced):
        await database.write(work, "e1", "a")
    await database.write(work, "e1", "b")
    assert await database.read(effects) == ["e1"]


async def test_who_was_late_but_missed_by_nobody_goes_on(
    database: Database, inbox: Inbox, clock: ManualClock
) -> None:
    await begin(inbox, "a")
    await clock.advance(31.0)
    await inbox.extend(SUBSCRIPTION, "e1", "a", 30.0)
    assert await begin(inbox, "b") == Busy(30.0)
    await clock.advance(31.0)
    await database.write(work, "e1", "a")
    await inbox.extend(SUBSCRIPTION, "e1", "a", 30.0)  # a beat after the end is no error


async def test_the_same_token_gets_the_same_answer(inbox: Inbox, clock: ManualClock) -> None:
    assert await begin(inbox, "a") == Begun(1)
    assert await begin(inbox, "a") == Begun(1)
    await clock.advance(31.0)
    assert await begin(inbox, "a") == Begun(1)
    assert await begin(inbox, "b") == Busy(30.0)


async def test_an_attempt_that_failed_is_over(database: Database, inbox: Inbox) -> None:
    await begin(inbox, "a")
    await inbox.release(SUBSCRIPTION, "e1", "a")
    with pytest.raises(Fenced):
        await database.write(work, "e1", "a")
    assert await begin(inbox, "b") == Begun(2)
    await inbox.release(SUBSCRIPTION, "e1", "b", counts=False)
    assert await begin(inbox, "c") == Begun(2)
    await inbox.release(SUBSCRIPTION, "e1", "b")  # not b's any more
    assert await begin(inbox, "d") == Busy(30.0)


async def test_what_was_given_up_comes_back_only_on_purpose(
    database: Database, inbox: Inbox
) -> None:
    await begin(inbox, "a")
    await inbox.give_up(SUBSCRIPTION, "e1", "somebody")
    assert await begin(inbox, "b") == Busy(30.0)
    await inbox.give_up(SUBSCRIPTION, "e1", "a")
    with pytest.raises(Fenced):
        await database.write(work, "e1", "a")
    with pytest.raises(Fenced):
        await inbox.extend(SUBSCRIPTION, "e1", "a", 30.0)
    assert await begin(inbox, "b") == Dead(1)
    assert await begin(inbox, "b", revive=True) == Begun(1)
    await database.write(work, "e1", "b")
    assert await begin(inbox, "c", revive=True) == Done()


async def test_nobody_finishes_what_nobody_began(database: Database) -> None:
    with pytest.raises(Fenced):
        await database.write(work, "e1", "a")
    assert await database.read(effects) == []


async def test_of_many_who_begin_at_once_one_does(database: Database, url: str) -> None:
    others = [Database(url) for _ in range(3)]
    for round in range(10):
        found = await asyncio.gather(
            *(
                Inbox(other).begin(SUBSCRIPTION, f"e{round}", f"{who}", 30.0)
                for who, other in enumerate([database, *others])
            )
        )
        assert sorted(type(answer).__name__ for answer in found) == ["Begun", *["Busy"] * 3]
    for other in others:
        other.close()


@pytest.fixture
def postgresql(database: Database) -> Database:
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer")
    return database


async def test_who_takes_over_meets_who_finishes(postgresql: Database) -> None:
    """The one that comes first to the row wins."""
    clock = ManualClock()
    inbox = Inbox(postgresql, clock)
    await begin(inbox, "slow")
    await clock.advance(31.0)
    with Session(postgresql.engine) as session:
        work(session, "e1", "slow")
        async with asyncio.timeout(5):  # neither its own heartbeat nor another one waits for it
            await inbox.extend(SUBSCRIPTION, "e1", "slow", 30.0)
            assert await begin(inbox, "other") == Busy(0.1)
        session.commit()
    assert await begin(inbox, "other") == Done()

    await begin(inbox, "slow", "e2")
    await clock.advance(31.0)
    with Session(postgresql.engine) as taking:
        assert inbox._begin(taking, SUBSCRIPTION, "e2", "other", 30.0, False) == Begun(2)
        late = asyncio.create_task(postgresql.write(work, "e2", "slow"))
        _, waits = await asyncio.wait([late], timeout=0.2)
        assert waits
        taking.commit()
    with pytest.raises(Fenced):
        await late


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
async def test_stricter_isolation_ends_the_same(postgresql: Database, level: str) -> None:
    with postgresql.engine.begin() as connection:
        name = postgresql.engine.url.database
        change = f"SET default_transaction_isolation = '{level}'"
        connection.execute(text(f'ALTER DATABASE "{name}" {change}'))
    postgresql.engine.dispose()
    counts = await turmoil(postgresql.engine.url.render_as_string(False), seed=1, events=12)
    assert set(counts.values()) == {1}


async def test_each_event_takes_effect_once_whatever_happens(database: Database, url: str) -> None:
    counts = await turmoil(url, seed=7, events=40)
    assert set(counts.values()) == {1}
    assert len(counts) == 40


async def turmoil(url: str, seed: int, events: int) -> Counter[str]:
    """Handlers that die, pause for longer than their lease, fail, and race; the effects."""
    open_events = {f"e{n:02}" for n in range(events)}

    async def handler(number: int) -> None:
        chance = random.Random(f"{seed} {number}")
        database = Database(url, connections=2)
        inbox = Inbox(database)
        while open_events:
            id = chance.choice(sorted(open_events))
            token = f"{number} {chance.random()}"
            match await inbox.begin(SUBSCRIPTION, id, token, 0.05):
                case Done():
                    open_events.discard(id)
                    continue
                case Busy(seconds):
                    await asyncio.sleep(min(seconds, 0.01))
                    continue
            fate = chance.random()
            if fate < 0.15:
                continue  # died
            if fate < 0.3:
                await inbox.release(SUBSCRIPTION, id, token)
                continue
            if fate < 0.5:
                await asyncio.sleep(0.08)
            try:
                await write(database, work, id, token)
            except Fenced:
                pass
        await asyncio.to_thread(database.close)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(handler(number))
    database = Database(url)
    found = Counter(await database.read(effects))
    database.close()
    return found


KILLED = """
import asyncio, os, signal, sys
from sqlalchemy import text
from skerry.data.database import Database
from skerry.data.inbox import Inbox, finish

async def main():
    database = Database(sys.argv[1])
    print(await Inbox(database).begin("ledger.book", "e1", sys.argv[2], 0.05))

    def work(session):
        session.execute(text("INSERT INTO effects VALUES ('e1')"))
        finish(session, "ledger.book", "e1", sys.argv[2])
        os.kill(os.getpid(), signal.SIGKILL)

    await database.write(work)

asyncio.run(main())
"""


async def test_attempts_that_end_in_kill_9_are_counted(database: Database, url: str) -> None:
    for number in (1, 2):
        command = [sys.executable, "-c", KILLED, url, f"token {number}"]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True)
        assert done.returncode == -9, done.stderr.decode()
        await asyncio.sleep(0.05)
    inbox = Inbox(database)
    assert await begin(inbox, "third") == Begun(3)
    assert await database.read(effects) == []


async def test_old_events_are_forgotten(inbox: Inbox, clock: ManualClock) -> None:
    await asyncio.gather(*(begin(inbox, "a", f"{n}") for n in range(1_010)))
    await clock.advance(13 * 86_400.0)
    await begin(inbox, "a", "young")
    assert await inbox.clean() == 0
    await clock.advance(2 * 86_400.0)
    assert [await inbox.clean() for _ in range(3)] == [1_000, 10, 0]
    assert await begin(inbox, "b", "young") == Begun(2)
    assert await begin(inbox, "b", "0") == Begun(1)


# What is tried again


def deadlock() -> Exception:
    return OperationalError("UPDATE", {}, psycopg.errors.DeadlockDetected())


async def test_what_the_database_refuses_for_order_is_tried_again(database: Database) -> None:
    calls: list[int] = []

    def refused(session: Session, times: int) -> str:
        calls.append(1)
        if len(calls) <= times:
            raise deadlock() if len(calls) % 2 else Again
        return "done"

    assert await write(database, refused, 3) == "done"
    assert len(calls) == 4
    calls.clear()
    with pytest.raises((OperationalError, Again)):
        await write(database, refused, 100)
    assert len(calls) < 10


@pytest.mark.parametrize(
    ("error", "again", "away"),
    [
        (Again(), True, False),
        (deadlock(), True, True),
        (OperationalError("", {}, Exception("database is locked")), True, True),
        (OperationalError("", {}, Exception("disk full")), False, True),
        (IntegrityError("", {}, Exception("twice")), False, False),
        (KeyError(), False, False),
    ],
)
def test_which_errors_are_of_what_kind(error: Exception, again: bool, away: bool) -> None:
    assert transient(error) is again
    assert unreachable(error) is away
