"""Incidents: what is one and the same trouble, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from skerry.observe.blame import Victim
from skerry.observe.incidents import MINUTE, Incident, Incidents
from skerry.observe.model import CLIENT, SERVER, More, Trace

from .test_blame import span, storm


def numbered(trace: Trace, number: int, at: int = 0, release: str = "7") -> Trace:
    """The same, as another trace, later, of another release."""
    return [
        replace(
            one,
            trace_id=f"{number:032x}",
            timestamp=one.timestamp + at,
            more=replace(one.more or More(), resource={"service.version": release}),
        )
        for one in trace
    ]


def only(incidents: Incidents) -> Incident:
    (incident,) = incidents.all()
    return incident


def test_a_storm_is_one_incident() -> None:
    incidents = Incidents()
    for number in range(1, 41):
        news = incidents.observe(numbered(storm(), number, at=number * MINUTE // 20))
        assert len(news) == (1 if number == 1 else 0)
    incident = only(incidents)
    assert (incident.service, incident.count, incident.state) == ("ledger", 40, "open")
    assert incident.services == ["ledger", "payments", "portal"]
    assert [one.count for one in incident.hurt] == [40, 40]
    assert incident.sparkline(2 * MINUTE, 3) == [19, 20, 1]
    assert [one.trace_id for one in incident.seen][:2] == [f"{40:032x}", f"{39:032x}"]
    assert len(incident.seen) == 20
    assert incident.first < incident.last


def test_what_comes_late_corrects_whom_it_blamed() -> None:
    incidents = Incidents()
    incidents.observe(storm()[:4])
    assert only(incidents).kind == "unanswered"
    incidents.observe(storm())
    assert only(incidents).kind == "exception"
    incidents.observe(storm())
    assert only(incidents).count == 1
    assert [one.count for one in only(incidents).hurt] == [1, 1]


def test_what_turns_out_well_is_none() -> None:
    incidents = Incidents()
    trace = [span(1, None, "portal", "POST /pay", kind=SERVER, failed=True)]
    incidents.observe(trace)
    incidents.observe([replace(trace[0], tags={}, more=None)])
    assert list(incidents.all()) == []


def test_it_is_resolved_and_may_come_back() -> None:
    incidents = Incidents()
    incidents.observe(numbered(storm(), 1))
    incidents.resolve(only(incidents), 10 * MINUTE)
    assert incidents.observe(numbered(storm(), 2, at=5 * MINUTE)) == []  # from before that
    assert only(incidents).state == "resolved"
    (news,) = incidents.observe(numbered(storm(), 3, at=11 * MINUTE))
    assert news.state == "regressed"
    assert incidents.observe(numbered(storm(), 4, at=12 * MINUTE)) == []
    incidents.reopen(news)
    assert only(incidents).state == "open"


def test_resolved_by_the_next_release() -> None:
    incidents = Incidents()
    incidents.observe(numbered(storm(), 1))
    incidents.resolve(only(incidents), MINUTE, by_next_release=True)
    assert incidents.observe(numbered(storm(), 2, at=2 * MINUTE)) == []
    (news,) = incidents.observe(numbered(storm(), 3, at=3 * MINUTE, release="8"))
    assert (news.state, news.releases) == ("regressed", ["7", "8"])


def test_they_survive_a_restart(tmp_path: Path) -> None:
    incidents = Incidents(tmp_path / "incidents.db")
    incidents.observe(numbered(storm(), 1))
    other = [span(1, None, "quotes", "GET /", kind=SERVER, raised="KeyError")]
    incidents.observe(numbered(other, 2, at=MINUTE))
    incidents.save()
    again = Incidents(tmp_path / "incidents.db")
    assert list(again.all()) == list(incidents.all())
    for one in list(incidents.all()):
        incidents.resolve(one, MINUTE)
    incidents.save()
    assert {one.state for one in Incidents(tmp_path / "incidents.db").all()} == {"resolved"}


def test_a_broken_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "incidents.db"
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 99)
    incidents = Incidents(path)
    incidents.observe(storm())
    incidents.save()
    assert len(list(Incidents(path).all())) == 1
    assert len(list(tmp_path.glob("incidents.db.corrupt-*"))) == 1


def test_there_is_an_end_to_them(tmp_path: Path) -> None:
    incidents = Incidents(tmp_path / "incidents.db", most=10)
    for number in range(1, 31):
        trace = [span(1, None, f"app-{number}", "GET /", kind=SERVER, raised="KeyError")]
        incidents.observe(numbered(trace, number))
        incidents.save()
    kept = [one.service for one in incidents.all()]
    assert kept == [f"app-{number}" for number in range(30, 20, -1)]
    assert len(list(Incidents(tmp_path / "incidents.db").all())) == 10


def test_one_broken_place_is_one_whatever_was_asked_for() -> None:
    incidents = Incidents()
    for number, name in enumerate(["GET /a", "GET /b", "GET /b"], 1):
        trace = [span(1, None, "quotes", name, kind=SERVER, raised="KeyError")]
        incidents.observe(numbered(trace, number, at=number * MINUTE))
    incident = only(incidents)
    assert incident.operation == "GET /b"
    assert [(one.operation, one.count) for one in incident.asked] == [("GET /b", 2), ("GET /a", 1)]
    blame = incidents.blame(since=0)
    assert blame[Victim("quotes", "GET /b")] == {"quotes": 2}
    assert blame[Victim("quotes", "GET /a")] == {"quotes": 1}


def test_an_app_that_does_not_answer_is_one_however_callers_say_it() -> None:
    incidents = Incidents()
    for number, (name, said) in enumerate([("book", "ConnectionLost"), ("last", "BreakerOpen")], 1):
        call = span(2, 1, "payments", name, kind=CLIENT, failed=True, remote="ledger")
        call.tags["error.type"] = said
        server = span(1, None, "payments", "POST /payments", kind=SERVER, failed=True)
        incidents.observe(numbered([server, call], number))
    incident = only(incidents)
    assert (incident.service, incident.kind, incident.count) == ("ledger", "unanswered", 2)
    assert incident.type == "BreakerOpen" and set(incident.operations) == {"book", "last"}


def test_what_fails_without_a_place_is_told_by_operation() -> None:
    incidents = Incidents()
    for number, name in enumerate(["GET /a", "GET /b"], 1):
        trace = [span(1, None, "quotes", name, kind=SERVER, failed=True)]
        incidents.observe(numbered(trace, number))
    assert {one.operation for one in incidents.all()} == {"GET /a", "GET /b"}


def test_releases_are_known_since_when() -> None:
    incidents = Incidents()
    for number, release in enumerate(["7", "8", "7"], 1):
        incidents.observe(numbered(storm(), number, at=number * MINUTE, release=release))
    incident = only(incidents)
    assert incident.releases == ["7", "8"]
    assert incident.since["8"] - incident.since["7"] == MINUTE
    assert incident.since["7"] == incident.first


def test_a_day_in_quarters_of_an_hour() -> None:
    incidents = Incidents()
    for number, minute in enumerate([0, 14, 15, 31], 1):
        incidents.observe(numbered(storm(), number, at=minute * MINUTE))
    history = only(incidents).sparkline(35 * MINUTE, bars=4, each=15)
    assert history == [0, 2, 1, 1]


def test_by_the_beginning_of_its_id() -> None:
    incidents = Incidents()
    incidents.observe(storm())
    incident = only(incidents)
    assert incidents.get(incident.id[:5]) is incident
    assert incidents.get("") is None and incidents.get("nothing") is None


def test_who_is_to_blame_for_what_failed() -> None:
    incidents = Incidents()
    incidents.observe(numbered(storm(), 1))
    incidents.observe(numbered(storm(), 2, at=9 * MINUTE))
    blame = incidents.blame(since=0)
    assert blame[Victim("portal", "POST /pay")] == {"ledger": 2}
    assert incidents.blame(since=9)[Victim("payments", "POST /payments")] == {"ledger": 1}


pieces = st.lists(st.tuples(st.integers(1, 4), st.sets(st.integers(0, 4), min_size=1)), max_size=12)


@given(pieces)
def test_counts_are_those_of_the_last_word_on_each_trace(
    said: list[tuple[int, set[int]]],
) -> None:
    incidents, last = Incidents(), {}
    for number, indices in said:
        trace = numbered([storm()[index] for index in sorted(indices)], number)
        incidents.observe(trace)
        last[number] = trace
    fresh = Incidents()
    for trace in last.values():
        fresh.observe(trace)
    assert {one.id: said_of(one) for one in incidents.all()} == {
        one.id: said_of(one) for one in fresh.all()
    }


def said_of(one: Incident) -> tuple[Any, ...]:
    return one.count, one.affected, one.minutes, one.operations


def test_an_empty_trace_says_nothing() -> None:
    assert Incidents().observe([]) == []
