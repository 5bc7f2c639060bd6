"""What the outbox keeps of an event: the fields of a message, in columns.

``bus.message.Message`` has the same ones; this module is below it and does not know it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

COLUMNS = ("id", "topic", "version", "body", "key", "source", "time", "headers", "due")
"""Of ``skerry_outbox``, in the order of ``Record``'s fields."""


class Record(Struct, frozen=True):
    """One event that is to be published.

    Attributes:
        id: the same however often it is published.
        topic: where it goes.
        version: of its body's type.
        body: JSON, or whatever the publisher wrote.
        key: records of equal, not empty keys are published in their order.
        source: the app that published it.
        time: when, in Unix seconds.
        headers: W3C ``traceparent``, ``tracestate`` and ``baggage``.
        due: Unix seconds before which it is not to be handled; None for at once.
    """

    id: str
    topic: str
    version: int
    body: bytes
    key: str = ""
    source: str = ""
    time: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    due: float | None = None

    def row(self) -> tuple[Any, ...]:
        """Its columns."""
        return (
            self.id,
            self.topic,
            self.version,
            self.body,
            self.key,
            self.source,
            self.time,
            msgspec.json.encode(self.headers).decode(),
            self.due,
        )


_headers = msgspec.json.Decoder(dict[str, str])


def record(row: Sequence[Any]) -> Record:
    """The record whose columns these are."""
    id, topic, version, body, key, source, time, headers, due = row
    decoded = _headers.decode(headers)
    return Record(id, topic, version, bytes(body), key, source, time, decoded, due)
