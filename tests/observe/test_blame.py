"""Where failures were born, and whom they hurt."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from skerry.observe.blame import Failure, Victim, failures
from skerry.observe.model import CLIENT, CONSUMER, SERVER, Endpoint, Event, More, Span, Trace

STACK = """Traceback (most recent call last):
  File "/srv/app/ledger/store.py", line 10, in book
    insert(entry)
  File "/srv/.venv/lib/python3.11/site-packages/sqlalchemy/engine.py", line 99, in execute
    raise
OperationalError: database is locked
"""


def span(id: int, parent: int | None, service: str, name: str = "", **fields: Any) -> Span:
    raised = fields.pop("raised", None)
    failed = fields.pop("failed", raised is not None)
    tags = dict(fields.pop("tags", {}))
    remote = fields.pop("remote", None)
    events = []
    if raised is not None:
        attributes = {"exception.type": raised, "exception.message": "no", "skerry.locals": "x=1"}
        events.append(Event(5, "exception", {**attributes, "exception.stacktrace": STACK}))
    return Span(
        trace_id="a" * 32,
        id=f"{id:016x}",
        parent_id=None if parent is None else f"{parent:016x}",
        name=name,
        timestamp=1_000 * id,
        duration=10,
        local_endpoint=Endpoint(service),
        remote_endpoint=None if remote is None else Endpoint(remote),
        tags={**tags, **({"error": "true"} if failed else {})},
        more=More(
            status="ERROR" if failed else "", events=events, resource={"service.version": "7"}
        ),
        **fields,
    )


def storm() -> Trace:
    """The ledger's database is locked; payments fails of it, and so does the portal."""
    return [
        span(1, None, "portal", "POST /pay", kind=SERVER, failed=True),
        span(2, 1, "portal", "pay", kind=CLIENT, remote="payments", failed=True),
        span(3, 2, "payments", "POST /payments", kind=SERVER, failed=True),
        span(4, 3, "payments", "record", kind=CLIENT, remote="ledger", failed=True),
        span(5, 4, "ledger", "PUT /events", kind=SERVER, raised="OperationalError"),
    ]


def only(trace: Trace) -> Failure:
    (failure,) = failures(trace)
    return failure


def test_a_storm_is_one_failure_where_it_was_born() -> None:
    failure = only(storm())
    assert (failure.service, failure.operation) == ("ledger", "PUT /events")
    assert (failure.kind, failure.type, failure.message) == ("exception", "OperationalError", "no")
    assert (failure.where, failure.line) == ("ledger/store.py book", 10)
    assert failure.stack == STACK and failure.local == "x=1" and failure.release == "7"
    assert failure.victims == (
        Victim("payments", "POST /payments"),
        Victim("portal", "POST /pay"),
    )
    assert not failure.handled


def test_below_a_server_it_is_still_that_operations() -> None:
    trace = [
        span(1, None, "ledger", "PUT /events", kind=SERVER, failed=True),
        span(2, 1, "ledger", "book", failed=True),
        span(3, 2, "ledger", "INSERT", raised="OperationalError"),
    ]
    assert only(trace).operation == "PUT /events"
    assert only(trace).victims == ()


def test_who_does_not_answer_is_to_blame() -> None:
    trace = storm()[:4]
    failure = only(trace)
    assert (failure.service, failure.kind) == ("ledger", "unanswered")
    assert failure.release == ""  # that is the caller's
    assert [victim.service for victim in failure.victims] == ["payments", "portal"]


def test_an_attempt_that_was_repeated_hurts_nobody() -> None:
    trace = [
        span(1, None, "portal", "POST /pay", kind=SERVER),
        span(2, 1, "portal", "pay", kind=CLIENT, remote="payments", failed=True),
        span(3, 2, "payments", "POST /payments", kind=SERVER, raised="OSError"),
        span(4, 1, "portal", "pay", kind=CLIENT, remote="payments"),
    ]
    failure = only(trace)
    assert failure.service == "payments" and failure.victims == ()
    unanswered = only([trace[0], trace[1], trace[3]])
    assert (unanswered.kind, unanswered.handled) == ("unanswered", True)


def test_nobody_to_ask_is_the_fault_of_whoever_is_not_there() -> None:
    trace = [
        span(1, None, "journeys", "pay", kind=SERVER, failed=True),
        span(2, 1, "portal", "POST /pay", kind=SERVER, failed=True),
        span(3, 2, "portal", "quotes.list_rates", raised="NoInstance",
             tags={"skerry.unanswered": "quotes"}),
    ]  # fmt: skip
    failure = only(trace)
    assert (failure.service, failure.kind, failure.type) == ("quotes", "unanswered", "NoInstance")
    assert failure.victims == (Victim("portal", "POST /pay"), Victim("journeys", "pay"))
    assert failure.release == "" and not failure.handled


def test_two_things_may_go_wrong_in_one_trace() -> None:
    trace = [
        span(1, None, "portal", "POST /pay", kind=SERVER, raised="KeyError"),
        span(2, 1, "portal", "call quotes"),
        span(3, 2, "portal", "quote", kind=CLIENT, remote="quotes", failed=True),
        span(4, 3, "quotes", "POST /quotes", kind=SERVER, raised="OSError"),
    ]
    assert sorted(f.service for f in failures(trace)) == ["portal", "quotes"]


def test_a_refusal_that_its_caller_has_understood_is_the_answers_own() -> None:
    refused = {"http.response.status_code": "422", "error.type": "CurrencyUnknown"}
    trace = [
        span(1, None, "portal", "POST /pay", kind=SERVER),
        span(2, 1, "portal", "quote", kind=CLIENT, remote="quotes", failed=True, tags=refused),
        span(3, 2, "quotes", "POST /quotes", kind=SERVER, tags=refused),
    ]
    failure = only(trace)
    assert (failure.service, failure.kind, failure.type) == ("quotes", "problem", "CurrencyUnknown")
    assert failures(trace[:2]) == []


def test_a_handler_of_events_fails_for_itself() -> None:
    trace = [span(1, None, "notify", "process payments.settled", kind=CONSUMER, raised="OSError")]
    assert only(trace).operation == "process payments.settled" and not only(trace).handled


def test_zipkins_own_spans_say_less() -> None:
    plain = Span(
        trace_id="a" * 16,
        id="0" * 15 + "1",
        kind=SERVER,
        name="get /",
        local_endpoint=Endpoint("old"),
        tags={"error": "boom", "http.status_code": "500"},
    )
    failure = only([plain])
    assert (failure.kind, failure.type, failure.message) == ("error", "500", "boom")


spans = st.lists(
    st.builds(
        span,
        st.integers(1, 8),
        st.none() | st.integers(1, 8),
        st.sampled_from(["a", "b", "c"]),
        kind=st.sampled_from([None, CLIENT, SERVER, CONSUMER]),
        remote=st.sampled_from([None, "a", "b"]),
        failed=st.booleans(),
        raised=st.sampled_from([None, "OSError"]),
        tags=st.sampled_from([{}, {"http.response.status_code": "404", "error.type": "Gone"}]),
    ),
    min_size=1,
    max_size=10,
)


@given(spans)
def test_whatever_the_trace_nothing_is_told_twice(trace: Trace) -> None:
    found = failures(trace)
    places = [(f.span_id, f.service, f.kind) for f in found]
    assert len(found) <= len(trace)
    assert len(set(places)) >= len({f.span_id for f in found})
    assert all(victim.service != f.service for f in found for victim in f.victims)
