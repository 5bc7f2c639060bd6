"""A span as the store keeps it: Zipkin's v2 model, and beside it what Zipkin has no place for.

The fields of ``Span`` up to ``shared`` are Zipkin's own, in the order in which Zipkin writes
them, so that the same type reads what is posted and writes what is asked for. ``more`` holds
what OTLP says beyond that. It is never read from Zipkin's JSON nor written to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

CLIENT, SERVER, PRODUCER, CONSUMER = "CLIENT", "SERVER", "PRODUCER", "CONSUMER"
KINDS = frozenset({CLIENT, SERVER, PRODUCER, CONSUMER})

NOTICE = "skerry.notice"
"""The tag that says what was cut off, dropped or corrected on the way in, for people to see."""


class Endpoint(Struct, frozen=True, omit_defaults=True, rename="camel", gc=False):
    """One side of a call: a service, and its address. ``port`` 0 is none."""

    service_name: str | None = None
    ipv4: str | None = None
    ipv6: str | None = None
    port: int = 0


class Annotation(Struct, frozen=True, order=True, gc=False):
    """Something that happened during a span; ``timestamp`` in microseconds since 1970."""

    timestamp: int
    value: str


class Link(Struct, omit_defaults=True, rename="camel", gc=False):
    """Another span that this one has to do with, without being its child."""

    trace_id: str
    span_id: str
    attributes: dict[str, str] = {}


class Event(Struct, omit_defaults=True, gc=False):
    """An event with its attributes apart, an exception's stack among them."""

    timestamp: int
    name: str
    attributes: dict[str, str] = {}


class More(Struct, omit_defaults=True, rename="camel", gc=False):
    """What OTLP says of a span and Zipkin has no place for.

    Attributes:
        status: ``OK`` or ``ERROR``; empty where it is not set.
        message: why it is an error.
        start_ns, end_ns: nanoseconds since 1970, where the sender knows them that well.
        resource: attributes of the process.
        scope: the instrumentation's name and version.
    """

    status: str = ""
    message: str = ""
    start_ns: int = 0
    end_ns: int = 0
    trace_state: str = ""
    scope: tuple[str, str] = ("", "")
    resource: dict[str, str] = {}
    links: list[Link] = []
    events: list[Event] = []


class Span(Struct, omit_defaults=True, rename="camel", gc=False):
    """One span; see Zipkin's ``zipkin2-api.yaml``.

    Attributes:
        trace_id: 16 or 32 lower-case hex digits; ``id`` and ``parent_id`` 16.
        timestamp, duration: microseconds; 0 is unknown.
        debug, shared: true or absent.
    """

    trace_id: str
    parent_id: str | None = None
    id: str = ""
    kind: str | None = None
    name: str | None = None
    timestamp: int = 0
    duration: int = 0
    local_endpoint: Endpoint | None = None
    remote_endpoint: Endpoint | None = None
    annotations: Sequence[Annotation] = ()
    tags: dict[str, str] = {}
    debug: bool | None = None
    shared: bool | None = None
    more: More | None = None

    @property
    def service(self) -> str | None:
        """Who recorded it."""
        return None if self.local_endpoint is None else self.local_endpoint.service_name

    @property
    def remote_service(self) -> str | None:
        """Who was on the other side."""
        return None if self.remote_endpoint is None else self.remote_endpoint.service_name

    @property
    def low(self) -> int:
        """The lower 64 bits of the trace's id: what 64-bit tracers keep of it."""
        return int(self.trace_id[-16:], 16)


Trace = list[Span]

pack = msgspec.msgpack.Encoder().encode
"""Spans as the store's file has them."""

unpack = msgspec.msgpack.Decoder(list[Span]).decode

_json = msgspec.json.Encoder().encode


def canonical(span: Span) -> Span:
    """The same span as Zipkin shows it: tags by name, annotations by time, each once."""
    annotations = tuple(sorted(set(span.annotations))) if span.annotations else ()
    return msgspec.structs.replace(
        span, annotations=annotations, tags=dict(sorted(span.tags.items()))
    )


def assemble(spans: Iterable[Span]) -> Trace:
    """The spans of one trace in the order in which Zipkin shows them, each once.

    That is the order of their arrival, but those that began in the same millisecond are
    together where the first of them is.
    """
    moments: dict[int, dict[bytes, Span]] = {}
    for span in spans:
        whole = canonical(span)
        moments.setdefault(span.timestamp // 1000, {}).setdefault(pack(whole), whole)
    return [span for moment in moments.values() for span in moment.values()]


def began(trace: Trace) -> int:
    """When a trace began: its root, or else the first of its spans; 0 where no span says."""
    earliest = 0
    for span in trace:
        if span.timestamp:
            if span.parent_id is None:
                return span.timestamp
            if not earliest or span.timestamp < earliest:
                earliest = span.timestamp
    return earliest


def zipkin_json(trace: Trace) -> bytes:
    """A trace in Zipkin's v2 JSON."""
    return _json([_plain(span) for span in trace])


def zipkin_traces(traces: Iterable[Trace]) -> bytes:
    """Several of them."""
    return b"[" + b",".join(map(zipkin_json, traces)) + b"]"


def _plain(span: Span) -> Span:
    return span if span.more is None else msgspec.structs.replace(span, more=None)
