"""Spans for tests, as Zipkin's JSON has them, and a strategy for many of them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from skerry.observe import zipkin
from skerry.observe.limits import Limits
from skerry.observe.model import Span, canonical, zipkin_json

TODAY = 1_700_000_040_000
"""Milliseconds, at the begin of a minute."""

NOW = (TODAY + 86_400_000) * 1000
"""Microseconds, after all the spans of tests."""


def span(trace: str = "a", id: str = "1", **fields: Any) -> dict[str, Any]:
    """One span: ``service`` and ``remote`` are names; anything else is as in Zipkin's JSON."""
    found: dict[str, Any] = {"traceId": trace.zfill(16), "id": id.zfill(16)}
    for name, side in (("service", "localEndpoint"), ("remote", "remoteEndpoint")):
        if (value := fields.pop(name, None)) is not None:
            found[side] = {"serviceName": value}
    if "parentId" in fields and fields["parentId"] is not None:
        fields["parentId"] = fields["parentId"].zfill(16)
    found.update({name: value for name, value in fields.items() if value is not None})
    return found


def read(*spans: dict[str, Any]) -> list[Span]:
    """Spans as they come out of the reader."""
    return zipkin.read(json.dumps(spans).encode(), NOW, Limits())


def plain(spans: list[Span]) -> list[dict[str, Any]]:
    """And back, as Zipkin writes them."""
    return json.loads(zipkin_json([canonical(span) for span in spans]))


_words = st.sampled_from(["a", "b", "c"])
_endpoints = st.none() | _words.map(lambda name: {"serviceName": f"service-{name}"})

spans = st.builds(
    lambda high, low, **rest: span(
        (f"{high:016x}" if high else "") + f"{low:016x}",
        **{name: value for name, value in rest.items() if value},
    ),
    high=st.sampled_from([0, 0, 0, 1, 2]),
    low=st.integers(1, 6),
    id=st.integers(1, 12).map("{:x}".format),
    parentId=st.none() | st.integers(1, 12).map("{:x}".format),
    kind=st.sampled_from([None, "CLIENT", "SERVER", "PRODUCER", "CONSUMER"]),
    name=st.none() | _words.map(lambda name: f"get {name}"),
    timestamp=st.none() | st.integers(TODAY * 1000, (TODAY + 20) * 1000),
    duration=st.none() | st.integers(1, 50),
    localEndpoint=_endpoints,
    remoteEndpoint=_endpoints,
    tags=st.dictionaries(_words, st.sampled_from(["", "1", "2"]), max_size=2),
    annotations=st.lists(
        st.builds(
            lambda at, value: {"timestamp": at, "value": value},
            st.integers(1, 3),
            st.sampled_from(["a", "seen"]),
        ),
        max_size=2,
    ),
    shared=st.sampled_from([None, None, True]),
)
"""Few of everything, so that spans share traces, ids, services and values."""

queries = st.fixed_dictionaries(
    {"endTs": st.integers(TODAY - 1, TODAY + 21), "lookback": st.integers(1, 30)},
    optional={
        "limit": st.integers(1, 5),
        "serviceName": _words.map(lambda name: f"service-{name}"),
        "remoteServiceName": _words.map(lambda name: f"service-{name}"),
        "spanName": _words.map(lambda name: f"get {name}"),
        "terms": st.dictionaries(
            st.sampled_from(["a", "b", "seen"]), st.sampled_from(["", "1", "2"]), max_size=2
        ),
        "minDuration": st.integers(1, 40),
    },
)
