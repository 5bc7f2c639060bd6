"""An event as brokers carry it: an envelope of plain values around encoded bytes.

Its fields are those of CloudEvents 1.0 (``id``, ``source``, ``type``, ``time``,
``partitionkey``), and what travels with a request travels with a message, in the same headers:
trace, baggage with criticality.
"""

from __future__ import annotations

import os
import time
from typing import Any

from msgspec import Struct, field

from skerry.core.clock import Clock, system
from skerry.core.context import Context, Trace, current, extract, inject, new_trace
from skerry.core.errors import BadRequest, Error, Invalid
from skerry.core.wire import Headers, RawHeaders

from .event import EventType


class Undecodable(Error):
    """A message that its handler cannot read, today or ever."""


class Message(Struct, frozen=True):
    """One event on its way.

    Attributes:
        id: the same however often it is published or delivered again; sorts by time.
        topic: where it was published.
        version: of its body's type.
        body: JSON.
        key: messages of equal, not empty keys are handled in their order.
        source: the app that published it.
        time: when, in Unix seconds.
        headers: W3C ``traceparent``, ``tracestate`` and ``baggage``.
    """

    id: str
    topic: str
    version: int
    body: bytes
    key: str = ""
    source: str = ""
    time: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)

    def context(self) -> Context:
        """What a handler of it runs in: a trace of its own, and the publisher's baggage."""
        found = extract(headers_of(self.headers), system.now())
        return Context(new_trace(), None, found.criticality, found.baggage)

    @property
    def link(self) -> Trace | None:
        """The trace it was published in, to which its handlers' traces are linked."""
        if "traceparent" not in self.headers:
            return None
        return extract(headers_of(self.headers), system.now()).trace


def compose(kind: EventType, value: Any, *, source: str, clock: Clock = system) -> Message:
    """The message for one event, in the context of whoever publishes it.

    Raises:
        TypeError: the value is not what the event's type can hold.
    """
    raw: RawHeaders = []
    inject(current(), raw)
    return Message(
        new_id(clock.wall()),
        kind.topic,
        kind.version,
        kind.codec.encode(value),
        kind.key_of(value),
        source,
        clock.wall(),
        {name.decode(): content.decode("latin-1") for name, content in raw},
    )


def read(message: Message, kinds: dict[int, EventType]) -> Any:
    """The event inside a message.

    Args:
        kinds: what its reader knows, by version.

    Raises:
        Undecodable: its version is not among them, or its body is not of that type.
    """
    kind = kinds.get(message.version)
    if kind is None:
        known = ", ".join(str(version) for version in sorted(kinds))
        raise Undecodable(
            f"{message.topic} has version {message.version}; this handler reads {known}"
        )
    try:
        return kind.codec.decode(message.body)
    except (BadRequest, Invalid) as error:
        faults = "; ".join(f"{f.pointer} {f.detail}" for f in getattr(error, "errors", ()))
        raise Undecodable(f"{kind.name}: {faults or error.detail}") from error


def headers_of(fields: dict[str, str]) -> Headers:
    return Headers(
        [(n.encode("latin-1"), v.encode("latin-1", "replace")) for n, v in fields.items()]
    )


def new_id(now: float | None = None) -> str:
    """A UUID of version 7 (RFC 9562, 5.7): milliseconds, then 74 random bits."""
    milliseconds = int((time.time() if now is None else now) * 1000)
    bits = int.from_bytes(os.urandom(10), "big")
    number = (
        (milliseconds & 0xFFFF_FFFF_FFFF) << 80
        | 7 << 76
        | (bits >> 62 & 0xFFF) << 64
        | 2 << 62
        | bits & 0x3FFF_FFFF_FFFF_FFFF
    )
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
