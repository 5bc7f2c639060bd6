"""What is said of fields and arguments: the contract's words, and what a reader needs besides."""

from __future__ import annotations

from typing import Any

from .pythonic import UNSET_DEFAULT
from .shapes import NO_DEFAULT, Argument, Field


def deprecated(text: str, deprecated: bool) -> str:
    if not deprecated or text.lower().startswith("deprecated"):
        return text
    return f"{text}\n\nDeprecated.".strip()


def field_doc(source: Field, default: Any, said: str) -> str:
    """What a field is: what its own schema says, or the text of the whole (``said``)."""
    notes = []
    if source.default is not NO_DEFAULT and default is UNSET_DEFAULT:
        notes.append(f"Default: {_short(source.default)}.")
    if source.read_only:
        notes.append("Set by the server.")
    if source.write_only:
        notes.append("Never sent back.")
    if source.deprecated and "deprecated" not in source.description.lower():
        notes.append("Deprecated.")
    return _with_notes(source.description or said, notes)


def argument_doc(source: Argument, default: Any) -> str:
    notes = []
    if source.mint:
        notes.append("Made for this call when not given.")
    if source.default not in (NO_DEFAULT, None) and default is None:
        notes.append(f"Default: {_short(source.default)}.")
    if source.deprecated and "deprecated" not in source.description.lower():
        notes.append("Deprecated.")
    return _with_notes(source.description, notes)


def _with_notes(text: str, notes: list[str]) -> str:
    text = text.strip()
    if text and notes and text[-1] not in ".!?:;":
        text += "."
    return " ".join([text, *notes]).strip()


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
