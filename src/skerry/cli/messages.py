"""Messages and dead letters as people read them, and as programs do."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from skerry.bus.documents import json_text, moment
from skerry.bus.driver import DeadLetter
from skerry.bus.message import Message

from .output import coloured, paint
from .pretty import indented

# What a terminal would obey, and a line cannot contain.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_IN_BLOCKS = {code: said for code, said in _CONTROLS.items() if code not in b"\t\n"}


def line(text: str) -> str:
    """Other people's text, as one line that a terminal only shows."""
    return text.translate(_CONTROLS)


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
    text = json_text(message.body)
    shown = repr(message.body) if text is None else indented(text, coloured(sys.stdout))
    _block(shown)


def show_stack(letter: DeadLetter) -> None:
    _block(letter.failure.stack.translate(_IN_BLOCKS))


def brief(message: Message) -> str:
    """The body in one line."""
    text = json_text(message.body)
    return line(repr(message.body) if text is None else text.replace("\n", " "))


def _block(text: str) -> None:
    for each in text.rstrip("\n").split("\n"):
        print(f"    {each}")
