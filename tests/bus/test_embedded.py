"""The embedded driver: the suite of all drivers, and what is its own."""

# ruff: noqa: ASYNC222, ASYNC240 (its files are what is tested)

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from skerry.bus import embedded, embedded_upkeep, embedded_wake
from skerry.bus.driver import Subscription
from skerry.bus.embedded import Embedded
from skerry.bus.embedded_file import File
from skerry.bus.embedded_ops import ACK, Claim, End, Publish
from skerry.bus.embedded_store import Store
from skerry.bus.embedded_wake import Socket, gone
from skerry.core.errors import BusUnavailable, Unconfirmed
from skerry.testing.bus import Bus, Place
from skerry.testing.bus_child import child, taken
from skerry.testing.bus_tools import LONG, PROMPTLY, SHORT, bodies, counted, eventually, one, taking

LEDGER = Subscription("ledger.book", ("settled",), lease=LONG)


def place_at(path: Path) -> Place:
    folder = path.parent
    away = folder.with_name(f"{folder.name}-away")

    @asynccontextmanager
    async def outage() -> AsyncIterator[None]:
        """Its folder has gone, and something else lies there."""
        folder.rename(away)
        while True:  # whoever uses it may have made it anew in between
            try:
                folder.touch(exist_ok=False)
                break
            except OSError:
                shutil.rmtree(folder, ignore_errors=True)
        try:
            yield
        finally:
            folder.unlink()
            away.rename(folder)

    return Place(
        lambda: Embedded(path),
        ("from skerry.bus.embedded import Embedded", f"Embedded({str(path)!r})"),
        outage=outage,
    )


class TestEmbedded(Bus):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return place_at(tmp_path / "b" / "bus.db")


@asynccontextmanager
async def opened(
    path: Path, *subscriptions: Subscription, **options: Any
) -> AsyncIterator[Embedded]:
    driver = Embedded(path, **options)
    await driver.open()
    try:
        await driver.declare(subscriptions or [LEDGER])
        yield driver
    finally:
        await driver.close()


@pytest.fixture
def path() -> Iterator[Path]:
    """In a folder whose name is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="bus") as folder:
        yield Path(folder) / "bus.db"


@pytest.fixture
def no_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks by himself: what arrives has been announced."""
    monkeypatch.setattr(embedded, "_ROUND", 3600.0)


# Waking


@pytest.mark.usefixtures("no_rounds")
@pytest.mark.parametrize("folder", ["near", "/".join(["far" * 20] * 3)])
async def test_who_waits_is_told_by_socket(path: Path, folder: str) -> None:
    path = path.parent / folder / "bus.db"
    async with opened(path) as publisher, opened(path) as consumer:
        async with taking(consumer, LEDGER) as tap:
            for number in range(5):
                await tap.quiet(0.02)
                await publisher.publish([one("settled", "k", body=b"%d" % number)])
                delivery = await tap.next()
                assert delivery.message.body == b"%d" % number
                await delivery.ack()
            assert consumer._socket is not None
            where = Path(consumer._socket.path)
            assert where.is_socket()
        assert (where.parent == path.with_name("bus.db-wake")) == (folder == "near")
    assert not where.exists()


@pytest.mark.usefixtures("no_rounds")
async def test_those_who_wait_longest_are_told_first(path: Path) -> None:
    async with opened(path) as publisher, opened(path) as a, opened(path) as b:
        async with taking(a, LEDGER, 1) as first, taking(b, LEDGER, 1) as second:
            await first.quiet(0.05)
            for tap in (first, second) * 3:
                await publisher.publish([one("settled")])
                await (await tap.next()).ack()
                await tap.quiet(0.05)


@pytest.mark.usefixtures("no_rounds")
async def test_what_becomes_due_is_taken_when_it_is(path: Path) -> None:
    async with opened(path) as publisher, opened(path) as consumer:
        async with taking(consumer, LEDGER) as tap:
            await tap.quiet(0.05)
            await publisher.publish([one("settled")], delay=SHORT)
            await (await tap.next()).retry(SHORT)
            assert (await tap.next()).attempt == 2


async def test_without_sockets_it_takes_a_moment(path: Path) -> None:
    path.with_name("bus.db-wake").touch()  # a folder that cannot be
    async with opened(path) as publisher, opened(path) as consumer:
        async with taking(consumer, LEDGER) as tap:
            await tap.quiet(0.05)
            await publisher.publish([one("settled")])
            await (await tap.next()).ack()


async def test_what_a_killed_process_held_is_free_at_once(path: Path) -> None:
    place = place_at(path)
    async with opened(path) as driver:
        await driver.publish([one("settled")])
        async with child(place, taken(LEDGER)) as consumer:
            await consumer.line()
            async with taking(driver, LEDGER) as tap:
                await tap.quiet(0.05)
                began = time.monotonic()
                await consumer.kill()
                assert (await tap.next()).attempt == 2
                assert time.monotonic() - began < PROMPTLY
        (queue,) = await driver.queues()
        assert queue.consumers == 1
        assert len(list(path.with_name("bus.db-wake").iterdir())) == 1


async def test_a_socket_knows_when_it_may_have_missed_something(tmp_path: Path) -> None:
    ours = Socket(tmp_path)
    sender = embedded_wake.Sender()
    assert ours.read() == set()
    for consumer in (5, 7, 5):
        assert sender.send(ours.path, consumer)
    assert ours.read() == {5, 7}
    for consumer in range(2000):
        assert sender.send(ours.path, consumer)
    assert ours.read() is None
    assert not gone(ours.path)
    ours.abandon()
    assert gone(ours.path)
    assert not sender.send(ours.path, 5)
    assert not gone(str(tmp_path / "never"))  # it may be out of our sight
    another = Socket(tmp_path)
    assert not Path(ours.path).exists()
    another.close()
    sender.close()


# The file


async def test_it_is_made_for_its_owner_alone(path: Path) -> None:
    path = path.parent / "new" / "folder" / "bus.db"
    async with opened(path) as driver, taking(driver, LEDGER):
        names = {entry.name: entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()}
    assert names.pop("bus.db-wake") == 0o700
    assert set(names) == {"bus.db", "bus.db-wal", "bus.db-shm", "bus.db-lock"}
    assert set(names.values()) == {0o600}


async def test_files_that_are_no_bus_are_left_alone(path: Path, tmp_path: Path) -> None:
    with sqlite3.connect(path) as foreign:
        foreign.execute("CREATE TABLE customers (name)")
    foreign.close()
    before = path.read_bytes()
    with pytest.raises(BusUnavailable, match=r"bus\.db is a database, but not a bus"):
        await Embedded(path).open()
    assert path.read_bytes() == before
    text = tmp_path / "notes.txt"
    text.write_text("remember the milk\n" * 100)
    with pytest.raises(BusUnavailable, match=r"notes\.txt: file is not a database"):
        await Embedded(text).open()
    assert text.read_text().startswith("remember the milk")
    with pytest.raises(BusUnavailable, match=r"notes\.txt"):
        await Embedded(text / "bus.db").open()
    with pytest.raises(BusUnavailable, match=str(tmp_path)):
        await Embedded(tmp_path).open()


async def test_a_newer_versions_file_is_refused(path: Path) -> None:
    async with opened(path):
        pass
    with sqlite3.connect(path) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert version == 1
    driver = Embedded(path)
    with pytest.raises(BusUnavailable, match=r"newer Skerry.*version 99, and this one knows 1"):
        await driver.open()
    with pytest.raises(BusUnavailable, match="closed"):
        await driver.publish([one("settled")])
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    await driver.open()
    await driver.publish([one("settled")])
    await driver.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to everything")
async def test_a_file_that_may_not_be_written_says_so(path: Path) -> None:
    async with opened(path):
        pass
    path.chmod(0o400)
    with pytest.raises(BusUnavailable, match=r"bus\.db"):
        await Embedded(path).open()


async def test_a_sqlite_that_is_too_old_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 1))
    with pytest.raises(BusUnavailable, match=r"SQLite is .*; the bus needs 3\.33"):
        await Embedded(path).open()


async def test_consuming_what_is_not_declared_says_so(path: Path) -> None:
    async with opened(path) as driver:
        with pytest.raises(BusUnavailable, match=r"there is no subscription 'other\.book'"):
            async with driver.consume(Subscription("other.book", ("settled",)), 1):
                pass


async def test_a_full_disk_refuses_and_loses_nothing(path: Path) -> None:
    async with opened(path) as driver:
        await driver._do(lambda store: store.run("PRAGMA max_page_count = 400"))
        accepted = 0
        with pytest.raises(BusUnavailable, match=r"bus\.db: database or disk is full"):
            while True:
                await driver.publish([one("settled", body=b"x" * 20_000)])
                accepted += 1
        assert accepted > 5
        results = await asyncio.gather(
            driver.publish([one("settled", body=b"x" * 200_000)]),
            driver.publish([one("settled", body=b"small")]),
            return_exceptions=True,
        )
        assert isinstance(results[0], BusUnavailable)
        assert results[1] is None  # what still fits is not refused for what does not
        async with taking(driver, LEDGER, 1) as tap:
            for _ in range(accepted):
                delivery = await tap.next()
                assert len(delivery.message.body) == 20_000
                await delivery.ack()
            assert (await tap.next()).message.body == b"small"
        await driver.publish([one("settled", body=b"x" * 200_000)])


async def test_one_that_is_too_large_does_not_harm_its_group(path: Path) -> None:
    async with opened(path) as driver:

        def limit(store: Store) -> None:
            store._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000)

        await driver._do(limit)
        sent = [one("settled", "k", body=b"%d" % n) for n in range(10)]
        sent.insert(5, one("settled", "k", body=b"x" * 200_000))
        results = await asyncio.gather(
            *(driver.publish([message]) for message in sent), return_exceptions=True
        )
        assert [type(r) for r in results if r is not None] == [BusUnavailable]
        assert "too large" in str(results[5])
        # Nor may what is taken together be too large to be handed over together.
        await driver.publish([one("settled", body=b"x" * 30_000) for _ in range(5)])
        async with taking(driver, LEDGER, 50) as tap:
            large = await tap.several(6)
            assert sum(len(d.message.body) for d in large) == 150_001
            for delivery in large:
                await delivery.ack()
            for number in range(1, 10):
                delivery = await tap.next()
                assert delivery.message.body == b"%d" % number
                await delivery.ack()


async def test_a_disk_that_fails_leaves_nobody_sure(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(path) as driver, opened(path, durability="process") as careless:

        def fail(self: File) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(File, "synchronise", fail)
        with pytest.raises(Unconfirmed, match="Input/output error"):
            await driver.publish([one("settled", body=b"1")])
        await careless.publish([one("settled", body=b"2")])
        assert await bodies(driver, LEDGER, 2) == [b"1", b"2"]


@pytest.mark.parametrize("durability", ["power", "process"])
async def test_what_waits_for_the_disk_is_what_was_accepted(
    path: Path, monkeypatch: pytest.MonkeyPatch, durability: Any
) -> None:
    done: list[str] = []
    synchronise = File.synchronise
    monkeypatch.setattr(File, "synchronise", lambda f: (done.append("disk"), synchronise(f)))
    async with opened(path, durability=durability) as driver:
        done.clear()
        await driver.publish([one("settled")])
        assert done == (["disk"] if durability == "power" else [])
        done.clear()
        async with taking(driver, LEDGER) as tap:
            await (await tap.next()).retry(0)
            await (await tap.next()).ack()
        assert done == []


async def test_a_file_that_is_removed_while_in_use_begins_anew(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(path) as driver, opened(path) as other:
        await driver.publish([one("settled", body=b"lost")])
        for entry in path.parent.glob("bus.db*"):
            if entry.is_file():
                entry.unlink()
        await driver.publish([one("settled", body=b"1")])
        await other.publish([one("settled", body=b"2")])
        async with opened(path) as third:
            await third.publish([one("settled", body=b"3")])
            assert await bodies(other, LEDGER, 3) == [b"1", b"2", b"3"]
        assert "was removed while in use" in caplog.text
    assert {entry.name for entry in path.parent.iterdir()} == {
        "bus.db",
        "bus.db-lock",
        "bus.db-wake",
    }
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


async def test_space_is_given_back(path: Path) -> None:
    async with opened(path) as driver:
        await driver.publish([one("settled", body=b"x" * 10_000) for _ in range(1000)])
        await driver.publish([one("settled", body=b"last")])
        size = await driver._do(lambda store: store.one("PRAGMA page_count")[0])
        assert size > 6000
        async with taking(driver, LEDGER, 100) as tap:
            for _ in range(1000):
                await (await tap.next()).ack()
            for _ in range(20):
                await driver._do(partial(embedded_upkeep.give_back, pages=512))
            assert await driver._do(lambda store: store.one("PRAGMA page_count")[0]) < size // 2
            assert (await tap.next()).message.body == b"last"


async def test_nothing_is_left_of_what_was_handled(path: Path) -> None:
    others = [Subscription(f"s{n}", ("settled",)) for n in range(3)]
    async with opened(path, *others) as driver:
        await driver.publish([one("settled", f"k{n % 3}") for n in range(30)])
        await driver.publish([one("settled", "k")], delay=0.01)
        for subscription in others:
            async with taking(driver, subscription) as tap:
                for _ in range(31):
                    await (await tap.next()).ack()

        def left(store: Store) -> list[int]:
            tables = ("message", "entry", "later", "dead", "consumer")
            return [store.one(f"SELECT count(*) FROM {table}")[0] for table in tables]

        async def empty() -> bool:
            return bool(await driver._do(left) == [0] * 5)

        await eventually(empty)


async def test_deleting_what_waits_lets_go_of_keys(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_upkeep, "_SLICE", 3)
    async with opened(path) as driver:
        await driver.publish([one("settled", f"k{n % 4}\0") for n in range(50)])
        async with taking(driver, LEDGER, 1) as tap:
            out = await tap.next()
            upto = await driver._do(partial(embedded_upkeep.last_row, table="message"))
            await driver.publish([one("settled", f"k{n % 4}\0", body=b"new") for n in range(8)])
            purge = partial(embedded_upkeep.purge, subscription=LEDGER.name, upto=upto)
            while await driver._do(purge):
                pass
            await counted(driver, LEDGER, ready=8, leased=1)
            await out.ack()
            for _ in range(8):
                await (await tap.next()).ack()
        await counted(driver, LEDGER)


# The process


async def test_apps_of_one_process_do_not_let_go_of_each_others_locks(path: Path) -> None:
    first, second = Embedded(path), Embedded(path)
    await first.open()
    await first.declare([LEDGER])
    await second.open()
    log = path.with_name(path.name + "-wal")
    before = log.stat().st_ino
    script = (
        "import asyncio, sys; from skerry.bus.embedded import Embedded\n"
        "async def visit():\n"
        "    driver = Embedded(sys.argv[1]); await driver.open(); await driver.close()\n"
        "asyncio.run(visit())"
    )
    visitor = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(path))
    assert await visitor.wait() == 0
    assert log.stat().st_ino == before
    await first.close()
    await second.close()


async def test_closing_ends_the_thread(path: Path) -> None:
    async with opened(path) as driver:
        await driver.open()  # a second time is none
        assert [t for t in threading.enumerate() if t.name == "bus bus.db"]
    assert not [t for t in threading.enumerate() if t.name == "bus bus.db"]
    await driver.close()
    with pytest.raises(BusUnavailable, match="closed"):
        await driver.publish([one("settled")])


async def test_a_forked_child_holds_nothing(path: Path) -> None:
    async with opened(path) as driver, taking(driver, LEDGER):
        assert driver._writer is not None
        lock = driver._writer._file._lock
        child = os.fork()
        if child == 0:
            kept = lock._file >= 0 or driver._writer is not None
            os._exit(1 if kept else 0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        await driver.publish([one("settled")])


# What a group costs


@pytest.fixture
def store(path: Path) -> Any:
    file = File(path)
    with file as store:
        store.begin()
        store.declare([LEDGER])
        store.register(1, LEDGER.name, "nowhere")
        yield store
        store.rollback()
    file.close()


def fill(store: Store, keys: Callable[[int], str], count: int) -> None:
    store.publish([Publish([("settled", keys(n), DATA) for n in range(count)])])


DATA = embedded._encode(one("settled", "k"))


def test_no_statement_reads_more_than_it_needs(store: Store) -> None:
    fill(store, lambda n: f"k{n % 3}", 10)
    store.publish([Publish([("settled", "", DATA)], at=store.now + 1)])
    run, plans = store.run, []

    def explained(statement: str, values: Any = ()) -> Any:
        if not statement.startswith("PRAGMA"):
            found = run(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
            plans.append((statement, [row[3] for row in found]))
        return run(statement, values)

    store.run = explained  # type: ignore[assignment,method-assign]
    taken = store.claim(Claim(1, 1, 5, 1 << 32, 30.0))
    store.end(
        [
            End(c, verb, 1.0)
            for c, verb in zip(taken.claimed, ("ack", "bury", "retry"), strict=False)
        ]
    )
    fill(store, lambda n: "k", 3)
    store.depart([2])
    store.register(1, LEDGER.name, "nowhere")
    store.others(1, "here")
    embedded_upkeep.purge_dead(store, LEDGER.name, 5)
    embedded_upkeep.purge(store, LEDGER.name, 5)
    store.to_wake()
    assert len(plans) > 20
    large = {"entry", "message", "later", "dead", "e", "m", "n"}
    for statement, plan in plans:
        for step in plan:
            words = step.split()
            assert words[0] != "SCAN" or words[1] not in large, f"{step} in {statement}"


@pytest.mark.parametrize(
    "keys", [lambda n: "hot", lambda n: f"k{n}", lambda n: "", lambda n: f"k{n % 100}"]
)
def test_a_round_costs_the_same_however_much_waits(
    store: Store, keys: Callable[[int], str]
) -> None:
    def steps(work: Callable[[], object]) -> int:
        count = 0

        def tick() -> int:
            nonlocal count
            count += 1
            return 0

        store._connection.set_progress_handler(tick, 1)
        work()
        store._connection.set_progress_handler(None, 1)
        return count

    def round_() -> None:
        taken = store.claim(Claim(1, 1, 10, next(leases) << 32, 30.0))
        assert taken.claimed
        store.end([End(c, ACK) for c in taken.claimed])
        store.publish([Publish([("settled", keys(0), DATA)] * len(taken.claimed))])

    leases = iter(range(1, 100))
    fill(store, keys, 200)
    round_()
    few = steps(round_)
    for _ in range(20):
        fill(store, keys, 1000)
    assert steps(round_) < few * 1.3 + 50
