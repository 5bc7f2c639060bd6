"""The thread that writes: in order, within bounds, and through trouble."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from skerry.observe.keeper import Full, Keeper
from skerry.observe.settings import StoreSettings
from skerry.observe.store import Store

from .spans import TODAY, read, span


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    made = Keeper(Store(tmp_path / "spans.db", StoreSettings(spans=50)), room=1000)
    yield made
    made.close()


def until(check: Callable[[], object]) -> None:
    for _ in range(400):
        if check():
            return
        time.sleep(0.05)
    pytest.fail("it never came to that")


def adding(number: int) -> Callable[[Store], int]:
    return lambda store: store.add(read(span(f"{number + 1:x}", timestamp=TODAY * 1000)))


def test_what_fails_is_told_and_the_rest_is_done(keeper: Keeper) -> None:
    def wrong(store: Store) -> int:
        raise ValueError("no")

    first, second = keeper.submit(wrong, 1), keeper.submit(adding(0), 1)
    with pytest.raises(ValueError, match="no"):
        first.result(10)
    assert second.result(10) == 0
    assert keeper.store.spans == 1


def test_the_queue_has_an_end(keeper: Keeper) -> None:
    gate = threading.Event()
    held = keeper.submit(lambda store: int(gate.wait(30)), 600)
    keeper.submit(adding(0), 300)
    with pytest.raises(Full):
        keeper.submit(adding(1), 600)
    assert keeper.refused == 1
    gate.set()
    assert held.result(10) == 1
    until(lambda: keeper.waiting == 0)
    assert keeper.submit(adding(2), 900).result(10) == 0


def test_what_came_is_written_soon(keeper: Keeper) -> None:
    keeper.submit(adding(0), 1).result(10)
    with sqlite3.connect(keeper.store.path) as reader:
        until(lambda: reader.execute("SELECT count(*) FROM log").fetchone()[0])
    reader.close()


def test_nothing_is_taken_after_the_end(tmp_path: Path) -> None:
    keeper = Keeper(Store(tmp_path / "spans.db"))
    future = keeper.submit(adding(0), 1)
    keeper.close()
    assert future.result(0) == 0
    with pytest.raises(Full):
        keeper.submit(adding(1), 1)
    again = Store(tmp_path / "spans.db")
    assert again.spans == 1
    again.close()


def test_a_store_that_cannot_be_written_says_so_and_stays_small(
    keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    write = keeper.store._file.write
    keeper.submit(lambda store: bool(write.execute("PRAGMA query_only = 1")), 0).result(10)
    for number in range(400):
        keeper.submit(adding(number), 0)
    until(lambda: keeper.trouble)
    until(lambda: keeper.store.counts.dropped)
    assert "cannot be written" in caplog.text
    assert keeper.store.waiting <= 4 * keeper.store.settings.spans
    keeper.submit(lambda store: bool(write.execute("PRAGMA query_only = 0")), 0).result(10)
    until(lambda: keeper.trouble is None)
    keeper.submit(adding(1000), 0).result(10)
    assert keeper.store.trace("3e9".zfill(16))


def test_retention_does_not_hold_up_what_comes(tmp_path: Path) -> None:
    keeper = Keeper(Store(tmp_path / "spans.db", StoreSettings(spans=20, still=0.0, size=20_000)))
    for number in range(300):
        keeper.submit(adding(number), 1).result(10)
        if number % 20 == 19:
            keeper.submit(lambda store: int(store.seal(everything=True)), 0).result(10)
    keeper._expired = 0.0
    until(lambda: keeper.store.size <= 20_000)
    assert keeper.store.counts.stored == 300
    keeper.close()
