"""Messages and dead letters as JSON, the same on the command line and in the console."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from .driver import DeadLetter, QueueInfo
from .message import Message


def moment(seconds: float) -> str:
    """Unix seconds as ISO 8601, UTC."""
    found = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return found.replace("+00:00", "Z")


def queue_document(queue: QueueInfo) -> dict[str, Any]:
    """The state of a subscription; null for what its broker does not tell."""
    fields = msgspec.structs.asdict(queue)
    fields["oldest"] = None if queue.oldest is None else moment(queue.oldest)
    if not fields.pop("whole"):
        fields |= {"delayed": None, "leased": None, "oldest": None}
    return fields


def document(message: Message) -> dict[str, Any]:
    """A message: its body is the JSON it holds, number for number, or text where that is none."""
    fields = msgspec.structs.asdict(message)
    fields["time"] = moment(message.time)
    whole = json_text(message.body) is not None
    fields["body"] = msgspec.Raw(message.body) if whole else repr(message.body)
    return fields


def letter_document(letter: DeadLetter) -> dict[str, Any]:
    """A dead letter likewise: its message, and how it died."""
    return {
        "subscription": letter.subscription,
        **document(letter.message),
        "attempts": letter.attempts,
        "died": moment(letter.died),
        **msgspec.to_builtins(letter.failure),
    }


def json_text(body: bytes) -> str | None:
    """A body as text; None where it is no JSON that Python can read."""
    try:
        text = body.decode()
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    return text
