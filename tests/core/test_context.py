from __future__ import annotations

import sys
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.core import context
from skerry.core.context import Context, Trace
from skerry.core.wire import Headers

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_request_without_a_trace_starts_one() -> None:
    first, second = context.extract(Headers(), 0.0).trace, context.extract(Headers(), 0.0).trace
    assert first is not None and second is not None
    assert first.trace_id != second.trace_id


def test_what_comes_in_goes_out_again() -> None:
    came = Headers.of(
        [
            ("traceparent", PARENT.decode()),
            ("tracestate", "a=1,b=2"),
            ("tracestate", "c=3"),
            ("baggage", "tenant=Universit%C3%A9, criticality=critical;note=1"),
            ("grpc-timeout", "1500m"),
        ]
    )
    found = context.extract(came, now=100.0)
    assert found == Context(
        trace=Trace(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, 1, "a=1,b=2,c=3"),
        deadline=101.5,
        criticality="critical",
        baggage={"tenant": "Université"},
    )
    goes = Headers()
    token = context.attach(found)
    try:
        context.inject(found, goes.raw)
    finally:
        context.detach(token)
    assert goes.get("traceparent") == PARENT.decode()
    assert goes.get("tracestate") == "a=1,b=2,c=3"
    assert goes.get("baggage") == "criticality=critical,tenant=Universit%C3%A9"
    assert "grpc-timeout" not in goes


BAD_PARENTS = [
    b"",
    b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01",
    b"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    b"ff" + PARENT[2:],
    PARENT + b"-extra",
    PARENT.upper(),
    PARENT[:-1],
    PARENT.replace(b"-", b"_"),
    PARENT.replace(b"0af7", b"0ag7"),
]


def test_a_malformed_parent_is_as_good_as_none() -> None:
    for value in BAD_PARENTS:
        assert context.parse_traceparent(value) is None, value


def extracted(*headers: tuple[str, str]) -> Trace:
    trace = context.extract(Headers.of(list(headers)), 0.0).trace
    assert trace is not None
    return trace


GIVEN = ("traceparent", PARENT.decode())
IDS = (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)


@pytest.mark.parametrize("around", [" {}", "{} ", "\t {} \t"])
def test_white_space_around_a_parent_is_none_of_it(around: str) -> None:
    found = extracted(("traceparent", around.format(PARENT.decode())))
    assert (found.trace_id, found.span_id) == IDS


def test_of_two_parents_neither_is_believed() -> None:
    found = extracted(GIVEN, ("traceparent", PARENT.decode().replace("0af7", "1af7")))
    assert found.fresh and found.trace_id != IDS[0]


@pytest.mark.parametrize(("flags", "kept"), [("00", 0), ("01", 1), ("03", 3), ("ff", 3)])
def test_flags_that_are_known_are_handed_on(flags: str, kept: int) -> None:
    assert extracted(("traceparent", PARENT.decode()[:-2] + flags)).flags == kept


ALL_OF_A_VALUE = "".join(chr(n) for n in range(0x20, 0x7F) if chr(n) not in ",=")


@pytest.mark.parametrize(
    ("states", "kept"),
    [
        (["foo=1,bar=2"], "foo=1,bar=2"),
        (["foo=1", "bar=2"], "foo=1,bar=2"),
        (["foo=1 \t , \t bar=2"], "foo=1,bar=2"),
        (["", "foo=1", ",,"], "foo=1"),
        ([f"foo={ALL_OF_A_VALUE}"], f"foo={ALL_OF_A_VALUE}"),
        (["0foo_-*/@vendor=1"], "0foo_-*/@vendor=1"),
        (["z" * 256 + "=1"], "z" * 256 + "=1"),
        (["foo=" + "x" * 256], "foo=" + "x" * 256),
        ([",".join(f"k{n}=1" for n in range(32))], ",".join(f"k{n}=1" for n in range(32))),
        ([",".join(f"k{n}=1" for n in range(33))], ""),
        (["z" * 257 + "=1"], ""),
        (["foo=" + "x" * 257], ""),
        (["foo =1"], ""),
        (["FOO=1"], ""),
        (["@foo=1,bar=2"], ""),
        (["foo=bar=baz"], ""),
        (["foo=,bar=3"], ""),
        (["foo"], ""),
        (["foo=ü"], ""),
    ],
)
def test_a_state_is_handed_on_whole_or_not_at_all(states: list[str], kept: str) -> None:
    found = extracted(GIVEN, *(("tracestate", state) for state in states))
    assert (found.trace_id, found.state) == (IDS[0], kept)


def test_a_state_without_a_parent_is_nothing() -> None:
    assert extracted(("tracestate", "foo=1")).state == ""


def test_a_later_version_may_say_more() -> None:
    assert context.parse_traceparent(b"01" + PARENT[2:] + b"-more") is not None
    assert context.parse_traceparent(b"01" + PARENT[2:] + b"more") is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"traceparent", b"tracestate", b"baggage", b"grpc-timeout", b"x"]),
            st.binary(),
        )
    )
)
def test_no_header_can_make_extract_fail(headers: list[tuple[bytes, bytes]]) -> None:
    found = context.extract(Headers(headers), 1.0)
    assert found.trace is not None and found.trace.trace_id != 0


@given(st.dictionaries(st.text("abcdefgh", min_size=1), st.text(), max_size=5))
def test_baggage_survives_the_wire(members: dict[str, str]) -> None:
    written = context.format_baggage(Context(baggage=members))
    assert (
        context.parse_baggage(written.decode()) == members or sum(map(len, members.values())) > 600
    )


def test_too_much_baggage_is_left_behind() -> None:
    assert context.parse_baggage("a=" + "x" * 9000) == {}


def test_opentelemetry_while_it_is_being_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", ModuleType("opentelemetry.trace"))
    token = context.attach(context.EMPTY)
    assert context.current_trace() is None
    context.detach(token)


def test_opentelemetrys_span_is_the_trace() -> None:
    from opentelemetry import trace
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

    ours = context.attach(Context(trace=Trace(1, 2)))
    try:
        span = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(1))
        with use_span(NonRecordingSpan(span)):
            assert context.current_trace() == Trace(0xABC, 0xDEF, 1, "", over=0xDEF)
        assert context.current_trace() == Trace(1, 2)
    finally:
        context.detach(ours)
    assert trace.get_current_span().get_span_context().is_valid is False
