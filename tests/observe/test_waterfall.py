"""A trace as it is drawn, and in one line."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from skerry.observe.digest import digest
from skerry.observe.model import Event, Link, More, Span
from skerry.observe.waterfall import Row, Waterfall, waterfall

from .spans import TODAY, read, span

NOW = TODAY * 1000


def one(id: str, parent: str | None, begin: int, length: int, **fields: Any) -> dict[str, Any]:
    """A span that begins so many microseconds after the others may."""
    given = {"parentId": parent, "timestamp": NOW + begin, "duration": length, "service": "web"}
    return span("a", id, **given | fields)


def drawn(*spans: dict[str, Any]) -> Waterfall:
    return waterfall(read(*spans))


def by_id(found: Waterfall) -> dict[str, Row]:
    return {row.id.lstrip("0"): row for row in found.rows}


CALL = [
    one("1", None, 0, 1000, kind="SERVER", name="get /"),
    one("2", "1", 100, 600, name="bank.pay"),
    one("3", "2", 110, 200, kind="CLIENT", remote="bank", name="pay", tags={"error": "refused"}),
    one("4", "2", 400, 290, kind="CLIENT", remote="bank", name="pay"),
    one("5", "4", 450, 200, kind="SERVER", service="bank", name="post /pay"),
    one("6", "1", 200, 100, name="beside"),
]


def test_rows_stand_below_their_parents() -> None:
    found = drawn(*reversed(CALL))
    assert [(row.id[-1], row.parent, row.depth, row.size) for row in found.rows] == [
        ("1", -1, 0, 6),
        ("2", 0, 1, 4),
        ("3", 1, 2, 1),
        ("4", 1, 2, 2),
        ("5", 3, 3, 1),
        ("6", 0, 1, 1),
    ]
    assert found.duration == 1000
    assert found.began == NOW / 1e6
    assert [row.start for row in found.rows] == [0, 100, 110, 400, 450, 200]


def test_own_time_is_what_nothing_below_took() -> None:
    found = by_id(drawn(*CALL))
    assert {id: row.own for id, row in found.items()} == {
        "1": 400,  # the call and what was beside it overlap
        "2": 110,
        "3": 200,
        "4": 90,
        "5": 200,
        "6": 100,
    }


def test_the_critical_path_is_what_the_end_waited_for() -> None:
    found = by_id(drawn(*CALL))
    assert {id: row.critical for id, row in found.items()} == {
        "1": [(0, 100), (700, 1000)],
        "2": [(100, 110), (310, 400), (690, 700)],
        "3": [(110, 310)],
        "4": [(400, 450), (650, 690)],
        "5": [(450, 650)],
        "6": [],
    }
    whole = sorted(stretch for row in found.values() for stretch in row.critical)
    assert whole[0][0] == 0
    assert whole[-1][1] == 1000
    assert all(one[1] == other[0] for one, other in pairwise(whole))


def test_what_outlives_its_parent_is_not_waited_for() -> None:
    found = by_id(drawn(one("1", None, 0, 100), one("2", "1", 50, 500), one("3", "1", 20, 20)))
    assert found["2"].critical == [(50, 100)]
    assert found["1"].critical == [(0, 20), (40, 50)]
    assert found["3"].critical == [(20, 40)]


def test_attempts_of_one_call_are_numbered() -> None:
    found = by_id(drawn(*CALL))
    assert found["3"].attempt == (1, 2)
    assert found["4"].attempt == (2, 2)
    assert [found[id].attempt for id in "1256"] == [None] * 4
    again = one("7", None, 0, 9, kind="CONSUMER", tags={"skerry.attempt": "3"})
    assert drawn(again).rows[0].attempt == (3, 0)


def test_an_error_is_said_and_counted_once_per_span() -> None:
    found = drawn(*CALL)
    assert found.errors == 1
    assert by_id(found)["3"].error == "refused"
    assert [(share.app, share.spans, share.errors) for share in found.apps] == [
        ("web", 5, 1),
        ("bank", 1, 0),
    ]


def test_a_clock_that_is_off_is_corrected_and_said() -> None:
    call = one("1", None, 0, 10_000, kind="CLIENT", remote="bank")
    early = one("2", "1", -5_000_000, 6_000, kind="SERVER", service="bank", tags={"a": "b"})
    inside = one("3", "2", -4_999_000, 1_000, service="bank")
    found = by_id(drawn(call, early, inside))
    assert found["2"].start == 2_000  # in the middle of the call
    assert found["2"].skew == found["3"].skew == 5_002_000
    assert found["3"].start == 3_000
    assert found["1"].skew == 0
    assert found["1"].own == 4_000


def test_clocks_may_be_a_little_apart_and_callers_give_up() -> None:
    call = one("1", None, 0, 10_000, kind="CLIENT", remote="bank", tags={"error": "timeout"})
    early = one("2", "1", -500, 6_000, kind="SERVER", service="bank")
    late = one("3", "1", 20_000, 6_000, kind="SERVER", service="bank")
    assert [row.skew for row in drawn(call, early, late).rows] == [0, 0, 0]


def test_a_parent_that_never_came_is_named() -> None:
    found = drawn(one("2", "1", 0, 10), one("4", "3", 5, 10), one("5", "4", 6, 2))
    assert [(row.missing[-1:], row.depth) for row in found.rows] == [("1", 0), ("3", 0), ("", 1)]


def test_whether_a_trace_hangs_together() -> None:
    outside = one("2", "1", 0, 10)  # called by somebody who sends no spans
    assert digest(read(outside, one("3", "2", 5, 1))).whole
    assert not digest(read(outside, one("4", "3", 5, 10))).whole
    assert not digest(read(one("1", None, 0, 10), one("4", "3", 5, 1))).whole


def test_events_links_and_processes_come_along() -> None:
    spans = read(
        one("1", None, 0, 100, annotations=[{"timestamp": NOW + 7, "value": "ws"}]),
        one("2", "1", 10, 50),
    )
    process = {"service.name": "web", "process.pid": "1"}
    spans[0].more = More(resource=dict(process))
    boom = {"exception.type": "Boom", "exception.message": "at sea"}
    spans[1].more = More(
        resource=process,
        events=[Event(NOW + 20, "exception", boom)],
        links=[Link("f" * 16, "e" * 16)],
    )
    spans[1].tags = {"error": "true"}
    found = waterfall(spans)
    assert found.resources == [process]
    assert [(m.at, m.name) for m in found.rows[0].events] == [(7, "ws")]
    assert [(m.at, m.name) for m in found.rows[1].events] == [(20, "exception")]
    assert found.rows[1].error == "Boom: at sea"
    assert found.rows[1].links == [Link("f" * 16, "e" * 16)]


def test_spans_that_tell_nothing_are_drawn_too() -> None:
    found = waterfall([Span("a" * 16, id="1".zfill(16)), Span("a" * 16, id="2".zfill(16))])
    assert [(row.start, row.app, row.critical) for row in found.rows] == [(None, "", [])] * 2
    assert found.duration == 0
    told = digest([Span("a" * 16, id="1".zfill(16))])
    assert (told.began, told.seconds, told.app) == (0, 0, "")


def test_a_trace_in_one_line() -> None:
    spans: list[Span] = read(*CALL)
    told = digest(spans)
    assert (told.app, told.name, told.spans, told.errors) == ("web", "get /", 6, 1)
    assert told.seconds == 0.001
    assert told.trouble == "refused"
    assert told.failed == ["web"]
    assert told.whole
    assert not told.clipped
    assert [(share.app, round(share.seconds * 1e6)) for share in told.apps] == [
        ("web", 900),
        ("bank", 200),
    ]
