"""What a full store keeps of that which it lets go: what failed, and the slowest."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from skerry.observe import zipkin
from skerry.observe.limits import Limits
from skerry.observe.model import Span
from skerry.observe.query import Query
from skerry.observe.settings import StoreSettings
from skerry.observe.store import Store

from .spans import span

SMALL = StoreSettings(size=1, spans=10)  # whatever is in a segment is too much


def trace(number: int, id: str = "1", **fields: Any) -> list[Span]:
    """Of one span, ten seconds ago and a little."""
    now = time.time_ns() // 1000
    one = {"timestamp": now - 10_000_000 + number, "duration": 100, **fields}
    body = json.dumps([span(f"{number + 1:x}", id, **one)]).encode()
    return zipkin.read(body, now, Limits())


def fill(store: Store, count: int = 1000) -> None:
    """Every hundredth has failed, and one of each service is the slowest."""
    for number in range(count):
        fields: dict[str, Any] = {"service": f"s{number % 4}"}
        if number % 100 == 7:
            fields["tags"] = {"error": "boom"}
        if number in (400, 401, 402, 403):
            fields["duration"] = 9_000_000 + number
        store.add(trace(number, **fields))
    store.count(everything=True)
    store.seal(everything=True)


def kept(store: Store, **fields: Any) -> set[int]:
    found = store.traces(Query(end_ts=int(time.time() * 1000), limit=2000, **fields))
    return {int(one[0].trace_id, 16) - 1 for one in found}


@pytest.fixture
def store(tmp_path: Path) -> Any:
    made = Store(tmp_path / "spans.db", SMALL)
    yield made
    made.close()


def test_what_failed_and_what_was_slow_is_kept(store: Store) -> None:
    fill(store)
    edges = store.operations(time.time() - 3600, time.time())
    store.expire()
    assert kept(store, terms={"error": ""}) == set(range(7, 1000, 100))
    assert {400, 401, 402, 403} <= kept(store)
    assert 10 + 4 <= len(kept(store)) <= 100
    assert store.counts.expired == 1000 - store.spans
    assert store.operations(time.time() - 3600, time.time()) == edges  # counted once


def test_it_is_there_after_a_crash_and_in_the_next_segment(store: Store, tmp_path: Path) -> None:
    fill(store)
    store.expire()
    before = kept(store)
    copy = tmp_path / "copy"
    copy.mkdir()
    store._file.write.execute(f"VACUUM INTO '{copy}/spans.db'")  # as a crash would leave it
    again = Store(copy / "spans.db", SMALL)
    assert kept(again) == before
    again.seal(everything=True)
    assert again.waiting == 0 and kept(again) == before
    assert again.trace(f"{8:016x}")[0].tags["error"] == "boom"
    again.close()


def test_what_is_many_is_not_kept_whole(store: Store) -> None:
    for number in range(1000):
        store.add(trace(number, tags={"error": "boom"}))
    store.seal(everything=True)
    store.expire()
    failed = sorted(kept(store))
    assert len(failed) <= 100 and failed[-1] == 999  # the latest
    store.seal(everything=True)
    store.expire()  # and it gets less and less
    assert len(kept(store)) <= 10


def test_what_is_old_goes_for_good(tmp_path: Path) -> None:
    store = Store(tmp_path / "spans.db", StoreSettings(size=1, age=0.02, spans=10))
    fill(store, 100)
    time.sleep(0.03)
    store.expire()
    assert store.spans == 0
    store.close()


def test_a_trace_that_goes_on_is_not_taken_twice(store: Store) -> None:
    fill(store)
    store.add(trace(7, "2", tags={"error": "again"}))  # taken up by that
    store.expire()
    assert 7 in kept(store, terms={"error": ""})
    assert len(store.trace(f"{8:016x}")) == 2
