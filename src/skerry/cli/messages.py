"""Messages and dead letters as people read them, and as programs do."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

from skerry.bus.driver import DeadLetter
from skerry.bus.message import Message

from .output import coloured, paint
from .pretty import indented, is_json

# What a terminal would obey, and a line cannot contain.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_IN_BLOCKS = {code: said for code, said in _CONTROLS.items() if code not in b"\t\n"}


def line(text: str) -> str:
    """Other people's text, as one line that a terminal only shows."""
    return text.translate(_CONTROLS)


def moment(seconds: float) -> str:
    """Unix seconds as ISO 8601, UTC."""
    found = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return found.replace("+00:00", "Z")


def document(message: Message) -> dict[str, Any]:
    """A message for ``print_json``: its body is the JSON it holds, or text where that is none."""
    fields = msgspec.structs.asdict(message)
    fields["time"] = moment(message.time)
    text = _text(message.body)
    fields["body"] = msgspec.Raw(message.body) if text is not None else repr(message.body)
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


def print_json(value: Any) -> None:
    """On standard output, indented, every number as it was published."""
    print(indented(msgspec.json.encode(value).decode(), coloured(sys.stdout)))


def print_line(value: Any) -> None:
    """One JSON object on a line of its own, now."""
    print(msgspec.json.encode(value).decode(), flush=True)


def heading(message: Message) -> str:
    """Who, what and when, in a line."""
    kind = f"{message.topic} v{message.version}"
    key = f"  key {line(message.key)}" if message.key else ""
    source = f"  from {line(message.source)}" if message.source else ""
    return f"{message.id}  {paint(kind, 'cyan')}{key}{source}  {moment(message.time)}"


def show_body(message: Message) -> None:
    """The body, indented."""
    text = _text(message.body)
    shown = repr(message.body) if text is None else indented(text, coloured(sys.stdout))
    _block(shown)


def show_stack(letter: DeadLetter) -> None:
    _block(letter.failure.stack.translate(_IN_BLOCKS))


def brief(message: Message) -> str:
    """The body in one line."""
    text = _text(message.body)
    return line(repr(message.body) if text is None else text.replace("\n", " "))


def _text(body: bytes) -> str | None:
    """A body as text; None where it is no JSON."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return text if is_json(text) else None


def _block(text: str) -> None:
    for each in text.rstrip("\n").split("\n"):
        print(f"    {each}")
