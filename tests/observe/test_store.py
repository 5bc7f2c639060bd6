"""The store agrees with Zipkin's, wherever its traces are at the time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skerry.core.errors import ConfigError
from skerry.observe.model import NOTICE, Link, More, Span
from skerry.observe.query import Query
from skerry.observe.settings import StoreSettings
from skerry.observe.store import Store

from .oracle import Oracle
from .spans import TODAY, plain, queries, read, span, spans

HOUR = 3_600_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "spans.db")
    yield made
    made.close()


def asked(**fields: Any) -> Query:
    names = {
        "endTs": "end_ts",
        "serviceName": "service",
        "remoteServiceName": "remote_service",
        "spanName": "span_name",
        "minDuration": "min_duration",
        "maxDuration": "max_duration",
    }
    given = {names.get(name, name): value for name, value in fields.items()}
    return Query(**{"end_ts": TODAY + HOUR, **given})


def ids(store: Store, **fields: Any) -> list[str]:
    return [trace[0].trace_id.lstrip("0") for trace in store.traces(asked(**fields))]


# -- against the model -----------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    batches=st.lists(st.lists(spans, min_size=1, max_size=6), min_size=1, max_size=6),
    steps=st.lists(st.sampled_from(["", "", "flush", "seal", "open"]), min_size=6, max_size=6),
    queries=st.lists(queries, min_size=1, max_size=8),
    strict=st.booleans(),
)
def test_finds_what_zipkin_finds(
    batches: list[Any], steps: list[str], queries: list[Any], strict: bool
) -> None:
    """Whether its spans are in memory, in segments, or were read back after a restart."""
    oracle = Oracle(strict)
    chosen = StoreSettings(strict=strict)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spans.db"
        store = Store(path, chosen)
        for batch, step in zip(batches, steps, strict=False):
            kept = read(*batch)
            store.add(kept)
            oracle.accept([plain([one])[0] for one in kept])
            if step == "flush":
                store.count(everything=True)
                store.flush()
            elif step == "seal":
                store.seal(everything=True)
            elif step == "open":
                store.close()
                store = Store(path, chosen)
        for query in queries:
            found = [plain(trace) for trace in store.traces(asked(**query))]
            assert found == oracle.traces(**query)
        for low in range(1, 7):
            for id in (f"{low:016x}", f"{1:016x}{low:016x}"):
                assert plain(store.trace(id)) == oracle.trace(id)
        again = Store(Path(folder) / "again.db", chosen)
        again.add([one for batch in batches[: len(steps)] for one in read(*batch)])
        for one in (store, again):
            one.count(everything=True)
        assert totals(store) == totals(again)
        store.close()
        again.close()


def totals(store: Store) -> Any:
    """All that is counted, without what depends on the order of arrival."""
    minutes = (TODAY / 1000 - 60, TODAY / 1000 + 60)
    links = sorted(
        (one.parent, one.child, one.call_count, one.error_count)
        for one in store.dependencies(TODAY + HOUR, 2 * HOUR)
    )
    operations = [
        (o.service, o.name, o.kind, o.count, o.errors) for o in store.operations(*minutes)
    ]
    edges = [(e.caller, e.callee, e.topic, e.count, e.errors) for e in store.edges(*minutes)]
    return links, operations, edges


# -- after Zipkin's own tests of storage -------------------------------------------------------


def test_an_empty_store_finds_nothing(store: Store) -> None:
    assert ids(store, serviceName="service", terms={"custom": ""}) == []
    assert store.trace("0" * 15 + "1") == []
    assert store.dependencies(TODAY, HOUR) == []
    assert store.names().spans == {}


def test_durations_are_those_of_the_service(store: Store) -> None:
    times = {"timestamp": TODAY * 1000}
    store.add(
        read(
            span("a", "1", service="frontend", duration=200_000, **times),
            span("a", "2", parentId="1", service="backend", duration=150_000, **times),
            span("b", "1", service="db", duration=200_000, **times),
            span("b", "2", parentId="1", service="backend", duration=50_000, **times),
        )
    )
    for _ in range(2):
        assert ids(store, serviceName="frontend", minDuration=200_000) == ["a"]
        assert ids(store, serviceName="backend", minDuration=50_000, maxDuration=50_000) == ["b"]
        assert ids(store, minDuration=200_001) == []
        store.seal(everything=True)


def test_what_a_service_is_asked_for_it_must_have_recorded_itself(store: Store) -> None:
    store.add(
        read(
            span("a", "1", service="web", timestamp=TODAY * 1000, tags={"local": "web"}),
            span("a", "2", parentId="1", service="app", timestamp=TODAY * 1000),
        )
    )
    for _ in range(2):
        assert ids(store, serviceName="web", terms={"local": "web"}) == ["a"]
        assert ids(store, serviceName="app", terms={"local": "web"}) == []
        assert ids(store, terms={"local": "", "absent": ""}) == []
        store.seal(everything=True)


def test_a_trace_without_a_time_is_found_once_it_has_one(store: Store) -> None:
    store.add(read(span("a", "1", service="web")))
    assert ids(store, serviceName="web") == []
    store.seal(everything=True)
    assert ids(store, serviceName="web") == []
    store.add(read(span("a", "1", service="web", timestamp=TODAY * 1000)))
    assert ids(store, serviceName="web") == ["a"]
    assert len(store.trace("a".zfill(16))) == 2


def test_newest_first_whatever_the_order_of_arrival(store: Store) -> None:
    for minute in (3, 1, 5, 2, 4):
        store.add(read(span(f"{minute}", timestamp=(TODAY + minute * 60_000) * 1000)))
        store.seal(everything=True)
    assert ids(store) == ["5", "4", "3", "2", "1"]
    assert ids(store, limit=2) == ["5", "4"]
    assert ids(store, endTs=TODAY + 3 * 60_000, lookback=60_000) == ["3", "2"]


def test_more_services_and_keys_than_there_are_numbers(store: Store) -> None:
    store._traces.memory.words.most_keys = 8
    for number in range(10):
        fields = {"timestamp": TODAY * 1000 + number, "tags": {f"key{number}": "1"}}
        store.add(read(span(f"{number + 1:x}", service="web", **fields)))
    for _ in range(2):
        assert ids(store, terms={"key9": "1"}) == ["a"]
        assert ids(store, terms={"key9": ""}, serviceName="web") == ["a"]
        assert ids(store, terms={"key0": "1"}) == ["1"]
        assert ids(store, terms={"key10": ""}) == []
        store.seal(everything=True)


# -- pieces, again and late --------------------------------------------------------------------


def call(trace: str) -> list[dict[str, Any]]:
    times = {"timestamp": TODAY * 1000, "duration": 1000}
    return [
        span(trace, "1", service="web", kind="SERVER", name="get /", **times),
        span(trace, "2", parentId="1", service="web", kind="CLIENT", **times),
        span(trace, "3", parentId="2", service="app", kind="SERVER", name="get /a", **times),
    ]


def test_a_trace_counts_once_however_it_comes(store: Store) -> None:
    first, second, third = call("a")
    for piece in ([first], [third], [second], [third], [first, second]):
        store.add(read(*piece))
        store.count(everything=True)
        store.flush()
        store.seal(everything=True)
    links, operations, edges = totals(store)
    assert links == [("web", "app", 1, 0)]
    assert operations == [("app", "get /a", "SERVER", 1, 0), ("web", "get /", "SERVER", 1, 0)]
    assert edges == [("web", "app", "", 1, 0)]


def test_a_late_error_is_counted(store: Store) -> None:
    store.add(read(*call("a")))
    store.seal(everything=True)
    late = call("a")[1] | {"tags": {"error": "timeout"}}
    store.add(read(late))
    store.count(everything=True)
    assert store.dependencies(TODAY + HOUR, 2 * HOUR)[0].error_count == 1
    assert ids(store, terms={"error": ""}) == ["a"]


def test_what_was_counted_before_a_crash_is_not_counted_again(tmp_path: Path) -> None:
    path = tmp_path / "spans.db"
    store = Store(path)
    store.add(read(*call("a")))
    store.count(everything=True)
    store.flush()
    store.add(read(*call("b")))
    store.flush()  # without being counted
    store._file.close()  # as if killed
    again = Store(path)
    again.count(everything=True)
    assert totals(again)[0] == [("web", "app", 2, 0)]
    again.seal(everything=True)
    assert totals(again)[0] == [("web", "app", 2, 0)]
    again.close()


def test_messages_join_their_publisher_and_who_handles_them(store: Store) -> None:
    times = {"timestamp": TODAY * 1000, "duration": 1000}
    topic = {"messaging.destination.name": "payments"}
    store.add(
        read(
            span("a", "1", service="bank", remote="kafka", kind="PRODUCER", tags=topic, **times),
            span(
                "a",
                "2",
                parentId="1",
                service="ledger",
                remote="kafka",
                kind="CONSUMER",
                tags=topic,
                **times,
            ),
        )
    )
    store.count(everything=True)
    links, _, edges = totals(store)
    assert links == [("bank", "kafka", 1, 0), ("kafka", "ledger", 1, 0)]
    assert edges == [("bank", "ledger", "payments", 1, 0)]


def test_a_publisher_that_comes_after_its_event_was_counted_is_known_then(store: Store) -> None:
    """A request may end long after who handles its event, and totals are asked for at any time."""

    def counted(*spans: Span) -> Any:
        store.add(spans)
        store.count(everything=True)
        return totals(store)[2]

    times = {"timestamp": TODAY * 1000, "duration": 1000}
    where = {"messaging.destination.name": "payments.settled"}
    (effect,) = read(span("b", "3", service="mail", kind="CONSUMER", tags=where, **times))
    before, cause, after = read(*(span("c", id, service="ledger", **times) for id in "892"))
    effect.more = More(links=[Link(cause.trace_id, cause.id)])
    edge = [("ledger", "mail", "payments.settled", 1, 0)]
    assert counted(effect) == []
    assert counted(before) == []  # the trace, but not the span
    assert counted(cause) == edge
    assert counted(after) == edge


def test_durations_of_edges_are_the_callers(store: Store) -> None:
    spans = call("a")
    spans[1]["duration"] = 9_000
    store.add(read(*spans))
    store.count(everything=True)
    (edge,) = store.edges(TODAY / 1000, TODAY / 1000)
    assert edge.p50 == pytest.approx(0.009, rel=0.02)
    assert edge.slowest[0].trace_id == "a".zfill(16)


# -- bounds ------------------------------------------------------------------------------------


def test_a_trace_is_kept_up_to_a_number_of_spans_and_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path / "spans.db", StoreSettings(trace_spans=10))
    many = [span("a", f"{n + 1:x}", timestamp=TODAY * 1000 + n) for n in range(25)]
    assert store.add(read(*many[:12])) == 2
    for _ in range(2):
        trace = store.trace("a".zfill(16))
        assert len(trace) == 10
        assert "dropped" in trace[0].tags[NOTICE]
        store.seal(everything=True)
    assert store.add(read(*many[12:])) == 13
    assert len(store.trace("a".zfill(16))) == 10
    assert store.trace("a".zfill(16))[0].tags[NOTICE].startswith("15 more spans")
    store.close()


def test_the_oldest_go_when_there_is_too_much(tmp_path: Path) -> None:
    store = Store(tmp_path / "spans.db", StoreSettings(size=40_000))
    for batch in range(12):
        store.add(
            read(
                *(
                    span(
                        f"{batch + 1:x}{n:04x}", timestamp=TODAY * 1000, tags={"n": f"{batch}.{n}"}
                    )
                    for n in range(100)
                )
            )
        )
        store.seal(everything=True)
        store.expire()
    assert store.size <= 40_000
    assert store.counts.expired > 0
    assert store.spans == 1200 - store.counts.expired
    assert ids(store, terms={"n": "0.1"}) == []
    assert ids(store, terms={"n": "11.1"}) == ["c0001"]
    path, size = store.path, store.path.stat().st_size
    store.close()
    assert size < 1_000_000
    again = Store(path)
    assert ids(again, terms={"n": "11.1"}) == ["c0001"]
    again.close()


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    store = Store(tmp_path / "spans.db", StoreSettings(age=0.0))
    store.add(read(*call("a")))
    store.seal(everything=True)
    store.expire()
    assert store.spans == 0
    assert store.dependencies(TODAY + HOUR, 2 * HOUR) == []
    store.close()


def test_still_traces_go_to_a_segment_and_lively_ones_stay(tmp_path: Path) -> None:
    store = Store(tmp_path / "spans.db", StoreSettings(spans=10, still=0.0))
    store.add(read(*(span(f"{n + 1:x}") for n in range(9))))
    assert not store.seal()
    store.add(read(span("ff")))
    assert store.seal()
    assert store.waiting == 0 and store.spans == 10
    store.close()
    lively = Store(tmp_path / "lively.db", StoreSettings(spans=10, still=60.0))
    lively.add(read(*(span(f"{n + 1:x}") for n in range(20))))
    assert not lively.seal()
    lively.add(read(*(span(f"{n + 1:x}") for n in range(20, 40))))
    assert lively.seal()  # too many to wait for
    assert 10 <= lively.waiting <= 30
    lively.close()


# -- the file ----------------------------------------------------------------------------------


def test_a_store_is_one_processs(tmp_path: Path) -> None:
    store = Store(tmp_path / "spans.db")
    with pytest.raises(ConfigError, match="another process uses"):
        Store(tmp_path / "spans.db", patience=0.0)
    store.close()
    Store(tmp_path / "spans.db", patience=0.0).close()


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_broken_file_is_set_aside(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spans.db").write_bytes(content)
    store = Store(tmp_path / "spans.db")
    store.add(read(*call("a")))
    assert ids(store) == ["a"]
    store.close()
    (aside,) = tmp_path.glob("spans.db.corrupt-*")
    assert aside.read_bytes() == content
    assert f"set aside as {aside.name}" in caplog.text


def test_a_file_that_breaks_in_the_middle_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "spans.db"
    store = Store(path)
    for batch in range(3):
        store.add(read(*(span(f"{batch + 1:x}{n:03x}", tags={"n": str(n)}) for n in range(200))))
        store.seal(everything=True)
    store.close()
    content = bytearray(path.read_bytes())
    for page in range(4096, len(content), 4096):
        content[page : page + 200] = b"\xff" * 200
    path.write_bytes(content)
    store = Store(path)
    store.add(read(*call("a")))
    store.flush()
    assert ids(store) == ["a"]
    store.close()
    assert list(tmp_path.glob("spans.db.corrupt-*"))


def test_another_programs_database_is_not_written_to(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "spans.db"
    with sqlite3.connect(path) as theirs:
        theirs.execute("CREATE TABLE t (x)")
    theirs.close()
    Store(path).close()
    assert list(tmp_path.glob("spans.db.corrupt-*"))


def test_names_are_known_after_a_restart(tmp_path: Path) -> None:
    chosen = StoreSettings(tags=("env",))
    store = Store(tmp_path / "spans.db", chosen)
    store.add(read(span("a", service="web", remote="db", name="get", tags={"env": "prod"})))
    store.seal(everything=True)
    store.add(read(span("b", service="app", name="put")))
    store.close()
    store = Store(tmp_path / "spans.db", chosen)
    names = store.names()
    assert names.spans == {"web": {"get"}, "app": {"put"}}
    assert names.remotes == {"web": {"db"}, "app": set()}
    assert names.values == {"env": {"prod"}}
    store.close()


# -- beyond Zipkin ---------------------------------------------------------------------------


@pytest.mark.parametrize("sealed", [False, True])
def test_finds_traces_by_what_they_link_to(store: Store, sealed: bool) -> None:
    cause, effect = read(
        span("a", timestamp=TODAY * 1000, service="shop"),
        span("b", timestamp=(TODAY + 5) * 1000, service="mail"),
    )
    effect.more = More(links=[Link(cause.trace_id, cause.id)])
    store.add([cause, effect])
    if sealed:
        store.seal(everything=True)
    assert ids(store, links_to=cause.trace_id) == ["b"]
    assert ids(store, links_to=cause.trace_id, serviceName="mail") == ["b"]
    assert ids(store, links_to=cause.trace_id, serviceName="shop") == []
    assert ids(store, links_to=effect.trace_id) == []


def test_traces_that_nothing_is_made_of_are_not_counted(store: Store) -> None:
    store.add(read(*[span(f"{n:x}", timestamp=(TODAY + n) * 1000) for n in range(1, 9)]))

    def even(trace: list[Span]) -> int | None:
        number = int(trace[0].trace_id, 16)
        return None if number % 2 else number

    assert store.each(asked(limit=3), even) == [8, 6, 4]
