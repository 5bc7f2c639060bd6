"""Zipkin's own headers for traces, B3: read where there is no ``traceparent``.

A fleet that is traced by Zipkin's older instrumentation sends these, in one header or in several
(https://github.com/openzipkin/b3-propagation). They are read always, and written where
``OTEL_PROPAGATORS`` asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

SINGLE = b"b3"
TRACE_ID = b"x-b3-traceid"

_ID = re.compile(rb"(?=.*[1-9a-f])(?:[0-9a-f]{16}|[0-9a-f]{32})")
_SPAN_ID = re.compile(rb"(?=.*[1-9a-f])[0-9a-f]{16}")
_RECORDED = frozenset({b"1", b"d", b"true"})
_NOT = frozenset({b"0", b"false"})


def parse(first: Mapping[bytes, bytes]) -> tuple[int, int, int] | None:
    """Trace id, span id and flags, from the first of each header; None where there are none.

    Who says nothing of sampling leaves it to us, and we record.
    """
    single = first.get(SINGLE)
    if single is not None:
        trace_id, _, rest = single.partition(b"-")
        span_id, _, rest = rest.partition(b"-")
        sampled = rest.partition(b"-")[0]
    else:
        trace_id = first.get(TRACE_ID, b"")
        span_id = first.get(b"x-b3-spanid", b"")
        sampled = b"d" if first.get(b"x-b3-flags") == b"1" else first.get(b"x-b3-sampled", b"")
    if not _ID.fullmatch(trace_id) or not _SPAN_ID.fullmatch(span_id):
        return None
    if sampled not in _RECORDED and sampled not in _NOT and sampled:
        return None
    return int(trace_id, 16), int(span_id, 16), 0 if sampled in _NOT else 1


def single(trace_id: int, span_id: int, flags: int) -> list[tuple[bytes, bytes]]:
    """The one header."""
    return [(SINGLE, b"%032x-%016x-%d" % (trace_id, span_id, flags & 1))]


def multi(trace_id: int, span_id: int, flags: int) -> list[tuple[bytes, bytes]]:
    """The several."""
    return [
        (TRACE_ID, b"%032x" % trace_id),
        (b"x-b3-spanid", b"%016x" % span_id),
        (b"x-b3-sampled", b"%d" % (flags & 1)),
    ]
