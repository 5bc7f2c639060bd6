"""How a ``Message`` lies in an AMQP message, and what is made of those that others publish.

The properties are AMQP's own: ``message_id``, ``type`` is the topic, ``app_id`` the source,
``timestamp`` in whole seconds. Headers carry the rest: ``version``, ``time`` (exact, as text:
AMQP libraries disagree about floats), W3C's ``traceparent``, ``tracestate`` and ``baggage``, and
the attributes of CloudEvents under the names of its AMQP binding (``cloudEvents:id``, …), the
key among them as ``cloudEvents:partitionkey``.

A publisher that knows none of this needs no more than a routing key and a body: the topic is
the routing key, the version 1. It should set ``message_id``: without one, the id is derived from
what the message says, so two that say the same, timestamp included, are one to an inbox.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from zlib import crc32

from pamqp.commands import Basic

from .message import Message

EVENTS = "skerry.events"
"""The exchange of everything that is published."""
PARTITIONS = 8
"""How many ways keys are spread, everywhere and for good: publishers and queues must agree."""
WINDOW = 256
"""How many messages a partition sends ahead to its consumer. So many may wait behind keys that
are to be tried again before all others have to. What is returned comes again in the order of its
return, so all that is returned must fit into what is sent ahead: this is the same for all."""
ATTEMPTS = "skerry-attempts"
DELAYS = "skerry-delay-"

_PARTITION_KEY = "cloudEvents:partitionkey"
_OWN = ("skerry-", "cloudEvents:", "x-death", "x-first-death-", "x-last-death-", "x-delivery-count")
_NAMED = frozenset({"version", "time"})


def routing_key(topic: str, key: str) -> str:
    """``payments.settled``, or ``payments.settled.P3`` for a message with a key.

    The number is ``crc32(key) % 8``, which any publisher can compute. No topic has upper-case
    letters, so none is another's partition.
    """
    return (
        partition(topic, crc32(key.encode("utf-8", "surrogatepass")) % PARTITIONS) if key else topic
    )


def partition(stem: str, number: int) -> str:
    return f"{stem}.P{number}"


def address(subscription: str) -> str:
    """In the place of a topic, it reaches one subscription alone."""
    return f"={subscription}"


def properties_of(message: Message, headers: dict[str, Any]) -> Basic.Properties:
    """Args:
    headers: what else is to be said of it: attempts, delays.
    """
    fields: dict[str, Any] = {
        **message.headers,
        "version": message.version,
        "time": repr(message.time),
        "cloudEvents:specversion": "1.0",
        "cloudEvents:id": message.id,
        "cloudEvents:type": message.topic,
        "cloudEvents:source": message.source or "skerry",
    }
    if message.key:
        fields[_PARTITION_KEY] = message.key
    fields.update(headers)
    return Basic.Properties(
        content_type="application/json",
        headers=fields,
        delivery_mode=2,
        message_id=message.id,
        timestamp=datetime.fromtimestamp(int(message.time), UTC),
        message_type=message.topic,
        app_id=message.source,
    )


def message_of(delivery: Any, properties: Basic.Properties, body: bytes) -> Message:
    """The message in a delivery, whoever published it.

    Args:
        delivery: anything with ``exchange`` and ``routing_key``.
    """
    headers: dict[str, Any] = properties.headers or {}
    topic = str(delivery.routing_key or "")
    stem, _, last = topic.rpartition(".")
    if last[:1] == "P" and last[1:].isdigit():
        topic = stem
    if delivery.exchange != EVENTS or topic.startswith("="):
        topic = properties.message_type or topic
    return Message(
        properties.message_id
        or _text(headers.get("cloudEvents:id"))
        or _derived_id(properties, body),
        topic,
        _integer(headers.get("version"), 1),
        body,
        _text(headers.get(_PARTITION_KEY)),
        properties.app_id or "",
        _time(headers.get("time"), properties.timestamp),
        {
            name: value
            for name, value in headers.items()
            if isinstance(value, str) and name not in _NAMED and not name.startswith(_OWN)
        },
    )


def count_of(headers: Mapping[str, Any] | None, name: str) -> int:
    """A header that counts; 0 where it is missing or something else."""
    return max(0, _integer((headers or {}).get(name), 0))


def _derived_id(properties: Basic.Properties, body: bytes) -> str:
    said = (
        properties.timestamp,
        properties.message_type,
        properties.app_id,
        properties.correlation_id,
    )
    return blake2b(repr(said).encode() + b"\0" + body, digest_size=16).hexdigest()


def _integer(value: object, default: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() else default


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _time(exact: object, whole: datetime | None) -> float:
    try:
        found = float(exact) if isinstance(exact, str) else math.nan
    except ValueError:
        found = math.nan
    if math.isfinite(found):
        return found
    return whole.timestamp() if whole else 0.0
