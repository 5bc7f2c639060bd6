"""B3, Zipkin's headers for traces."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.core import b3
from skerry.core.context import Trace, extract
from skerry.core.wire import Headers

TRACE, SPAN = 0x80F198EE56343BA864FE8B2A57D3EFF7, 0xE457B5A2E4D86BD1
LONG, SHORT, ID = b"80f198ee56343ba864fe8b2a57d3eff7", b"64fe8b2a57d3eff7", b"e457b5a2e4d86bd1"


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({b"b3": LONG + b"-" + ID + b"-1-05e3ac9a4f6e3b90"}, (TRACE, SPAN, 1)),
        ({b"b3": LONG + b"-" + ID + b"-0"}, (TRACE, SPAN, 0)),
        ({b"b3": LONG + b"-" + ID + b"-d"}, (TRACE, SPAN, 1)),
        ({b"b3": LONG + b"-" + ID}, (TRACE, SPAN, 1)),
        ({b"b3": SHORT + b"-" + ID}, (0x64FE8B2A57D3EFF7, SPAN, 1)),
        ({b"x-b3-traceid": LONG, b"x-b3-spanid": ID, b"x-b3-sampled": b"1"}, (TRACE, SPAN, 1)),
        ({b"x-b3-traceid": LONG, b"x-b3-spanid": ID, b"x-b3-sampled": b"0"}, (TRACE, SPAN, 0)),
        ({b"x-b3-traceid": LONG, b"x-b3-spanid": ID, b"x-b3-flags": b"1"}, (TRACE, SPAN, 1)),
        ({b"x-b3-traceid": LONG, b"x-b3-spanid": ID}, (TRACE, SPAN, 1)),
        ({b"b3": b"0"}, None),
        ({b"b3": b"1"}, None),
        ({b"b3": LONG}, None),
        ({b"b3": LONG + b"-" + ID + b"-x"}, None),
        ({b"b3": LONG.upper() + b"-" + ID}, None),
        ({b"b3": b"0" * 32 + b"-" + ID}, None),
        ({b"b3": LONG + b"-" + b"0" * 16}, None),
        ({b"b3": LONG[:-1] + b"-" + ID}, None),
        ({b"x-b3-traceid": LONG}, None),
        ({}, None),
    ],
)
def test_what_is_read(headers: dict[bytes, bytes], found: tuple[int, int, int] | None) -> None:
    assert b3.parse(headers) == found


def test_it_is_read_where_there_is_no_traceparent() -> None:
    headers = Headers([(b"b3", LONG + b"-" + ID + b"-1")])
    assert extract(headers, 0.0).trace == Trace(TRACE, SPAN, 1)
    parent = (b"traceparent", b"00-%032x-%016x-01" % (7, 9))
    assert extract(Headers([parent, *headers.raw]), 0.0).trace == Trace(7, 9, 1)
    bad = extract(Headers([(b"b3", b"nonsense")]), 0.0).trace
    assert bad is not None and bad.fresh


ids = st.integers(1, 2**64 - 1)


@given(st.integers(1, 2**128 - 1), ids, st.integers(0, 1))
def test_what_is_written_is_read_again(trace_id: int, span_id: int, flags: int) -> None:
    for write in (b3.single, b3.multi):
        assert b3.parse(dict(write(trace_id, span_id, flags))) == (trace_id, span_id, flags)


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("", ["traceparent"]),
        ("tracecontext,baggage", ["traceparent"]),
        ("b3", ["b3"]),
        ("tracecontext, b3multi", ["traceparent", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled"]),
        ("none", ["traceparent"]),
    ],
)
def test_it_is_written_where_it_is_asked_for(asked: str, names: list[str]) -> None:
    code = (
        "from skerry.core.context import Context, Trace, attach, current, inject\n"
        "attach(Context(Trace(7, 9))); raw = []; inject(current(), raw)\n"
        "print(*(name.decode() for name, _ in raw))"
    )
    env = {**os.environ, "OTEL_PROPAGATORS": asked} if asked else dict(os.environ)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout.split() == names
