"""Totals over time: where points stand, what is in them, and that nobody has to wait for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.observe import snapshot
from skerry.observe.series import MOST, Series, Wanted, steps
from skerry.observe.snapshot import Pieces
from skerry.observe.store import Store
from skerry.observe.summary import Sample
from skerry.observe.totals import Total

from .spans import TODAY, read, span

NOW = TODAY / 1000  # seconds, at the begin of a minute
ANY = Wanted("", "", "")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "spans.db")
    yield made
    made.close()


def asked(minute: int, number: int = 0, **fields: Any) -> dict[str, Any]:
    """A request that was served some minutes after ``NOW``."""
    at = int((NOW + minute * 60) * 1e6) + number
    common = {"service": "bank", "kind": "SERVER", "name": "get /balance", "duration": 1000}
    return span(f"{minute + 1:x}{number:04x}", timestamp=at, **{**common, **fields})


def put(store: Store, *spans: dict[str, Any]) -> None:
    store.add(read(*spans))
    store.count(everything=True)


def counts(found: Series) -> list[tuple[int, int]]:
    return [(point.count, point.errors) for point in found.points]


# -- points -----------------------------------------------------------------------------------


@given(since=st.floats(1e9, 2e9), seconds=st.floats(0, 1e7), most=st.integers(2, 300))
def test_a_window_is_covered_by_points_and_not_by_too_many(
    since: float, seconds: float, most: int
) -> None:
    of = steps(since, since + seconds, most)
    assert of.count <= most
    assert of.since <= since
    assert of.since + of.count * of.seconds > since + seconds
    assert of.since % of.seconds == 0  # it stands where it stands
    assert 0 < of.covered(of.count - 1) <= of.seconds
    assert of.index(of.last) == of.count - 1


def test_a_day_has_points_of_six_minutes_and_an_hour_of_one() -> None:
    assert steps(NOW - 86_400, NOW).seconds == 360
    assert steps(NOW - 3_600, NOW).seconds == 60
    assert steps(NOW - 86_400, NOW).count <= MOST


def test_points_tell_count_errors_durations_and_whom_to_look_at(store: Store) -> None:
    put(
        store,
        asked(0),
        asked(0, 1, duration=90_000),
        asked(0, 2, duration=2_000, tags={"error": "locked"}),
        asked(2),
        asked(2, 1, name="post /balance"),
        asked(2, 2, service="shop"),
        asked(2, 3, kind="CLIENT", remote="shop"),
    )
    found = store.series(NOW, NOW + 150, "bank", "GET /balance")
    assert counts(found) == [(3, 1), (0, 0), (1, 0)]
    first, nothing, last = found.points
    assert (first.at, nothing.at, last.at) == (NOW, NOW + 60, NOW + 120)
    assert first.p50 == pytest.approx(0.002, rel=0.02)
    assert first.p99 == pytest.approx(0.09, rel=0.02)
    assert first.slowest is not None
    assert first.slowest.duration == pytest.approx(0.09, rel=0.02)
    assert first.failed is not None
    assert first.failed.trace_id.endswith("10002")
    assert (nothing.p50, nothing.slowest, nothing.failed) == (None, None, None)
    assert first.rate == 3 / 60
    assert last.rate == 1 / 30  # half of its minute is over
    assert found.partial
    assert counts(store.series(NOW, NOW + 150, "BANK")) == [(3, 1), (0, 0), (2, 0)]
    assert counts(store.series(NOW, NOW + 150, "bank", kind="CONSUMER")) == [(0, 0)] * 3


def test_minutes_that_are_in_the_file_and_in_memory_are_all_there(store: Store) -> None:
    for minute in range(30):
        put(store, *(asked(minute, number) for number in range(minute % 3 + 1)))
        store.flush()
    put(store, asked(3, 9))  # late, of a minute that only the file has by now
    want = [minute % 3 + 1 + (minute == 3) for minute in range(30)]
    found = store.series(NOW, NOW + 29 * 60 + 59, "bank")
    assert [point.count for point in found.points] == want
    of = steps(NOW, NOW + 29 * 60 + 59, 10)
    (trend,) = store.trends(of, ANY).values()
    assert sum(trend.counts) == trend.total.count == sum(want)
    begins = range(of.first - int(NOW) // 60, 30, of.length)
    assert trend.counts == [sum(want[max(0, at) : at + of.length]) for at in begins]


def test_the_slowest_that_failed_is_known_beside_three_that_are_slower() -> None:
    def sample(number: int, units: int, error: bool) -> Sample:
        return Sample((), 0, error, units, f"{number:032x}")

    total = Total()
    total.add(sample(1, 50, True), 1)
    for number in range(2, 6):
        total.add(sample(number, 1000 * number, False), 1)
    total.add(sample(7, 60, True), 1)
    total.add(sample(8, 40, True), 1)
    assert [one.units for one in total.slowest] == [5000, 4000, 3000, 60]
    other = Total()
    other.add(sample(9, 70, True), 1)
    total.merge(other)
    assert [one.units for one in total.slowest] == [5000, 4000, 3000, 70]


# -- trends -----------------------------------------------------------------------------------


def test_trends_are_put_together_once_and_again_where_something_came_late(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minute in range(20):
        put(store, asked(minute))
        store.flush()
    made: list[int] = []
    really = snapshot._minutes

    def counted(of: Any, first: int, last: int) -> Any:
        made.append(first)
        return really(of, first, last)

    monkeypatch.setattr(snapshot, "_minutes", counted)
    of = steps(NOW, NOW + 19 * 60, 10)
    assert of.length > 1

    def ask() -> tuple[int, list[int]]:
        made.clear()
        (trend,) = store.trends(of, ANY).values()
        return trend.total.count, trend.counts

    first = ask()
    assert first[0] == sum(first[1]) == 20
    assert len(made) == of.count
    assert ask() == first
    assert made == []
    put(store, asked(1, 5))
    assert ask()[0] == 21
    assert made == [of.first]
    assert ask()[0] == 21
    assert made == []


def test_what_is_kept_of_trends_is_bounded(store: Store) -> None:
    put(store, *(asked(minute, name=f"get /{minute}") for minute in range(40)))
    pieces = Pieces(most=300)
    with store._totals(int(NOW) // 60, int(NOW) // 60 + 40, "operation") as totals:
        found = list(pieces.each(totals, int(NOW) // 60, int(NOW) // 60 + 40, 2))
    assert len(found) == 40
    assert 0 < pieces._size <= 300
    assert pieces._size == sum(len(one.packed) for one in pieces._kept.values())


def test_of_one_service_only_that_is_told(store: Store) -> None:
    put(store, asked(0), asked(0, 1, service="shop"), asked(1, service="shop"))
    of = steps(NOW, NOW + 60)
    (only,) = store.trends(of, Wanted("shop", "", "")).items()
    assert (only[0][1], only[1].counts) == ("shop", [1, 1])


# -- while others write -----------------------------------------------------------------------


def test_whoever_writes_does_not_wait_for_whoever_reads(store: Store) -> None:
    """A reader in the middle of a long question sees what there was when it asked."""
    for minute in range(8):
        put(store, asked(minute))
    store.flush()
    with store._totals(int(NOW) // 60, int(NOW) // 60 + 10, "operation") as totals:
        each = totals.some(int(NOW) // 60, int(NOW) // 60 + 10, ANY)
        seen = [next(each)]

        def write() -> None:
            put(store, *(asked(minute, 1) for minute in range(10)))
            store.flush()
            store.seal(everything=True)

        writer = threading.Thread(target=write)
        writer.start()
        writer.join(timeout=20)
        assert not writer.is_alive()
        seen += each
    assert sorted((minute, total.count) for minute, _, total in seen) == [
        (int(NOW) // 60 + minute, 1) for minute in range(8)
    ]
    assert sum(point.count for point in store.series(NOW, NOW + 600, "bank").points) == 18
