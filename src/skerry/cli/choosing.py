"""What is to become of the bodies of dead letters that are redriven."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skerry.bus.driver import DeadLetter
from skerry.bus.redrive import Change

from .output import fail
from .pointers import decoded, encoded, put
from .pretty import indented


def setting(texts: Sequence[str]) -> Change:
    """``/payer/name=Ada``: with these members changed; a value is JSON, or else text."""
    pairs: list[tuple[str, Any]] = []
    for text in texts:
        pointer, sign, value = text.partition("=")
        if not sign:
            fail(f"{text!r} sets nothing: write /pointer=value", 2)
        try:
            pairs.append((pointer, decoded(value)))
        except ValueError:
            pairs.append((pointer, value))

    def change(letter: DeadLetter) -> bytes:
        try:
            body = decoded(letter.message.body)
            for pointer, value in pairs:
                body = put(body, pointer, value)
        except ValueError:
            fail(f"{letter.message.id} has no JSON in it: only --edit can help")
        except LookupError as error:
            fail(f"{letter.message.id}: {pointer} cannot be set: {error}")
        return encoded(body)

    return change


def edited(letter: DeadLetter) -> bytes:
    """The body as ``$EDITOR`` leaves it.

    Raises:
        Failed: the editor failed, or what it left is no JSON; that is kept then.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    body = letter.message.body.decode("utf-8", "replace")
    try:
        decoded(body)
        body = indented(body) + "\n"
    except ValueError:
        pass  # that may be why it is dead
    number, name = tempfile.mkstemp(".json", f"{letter.message.topic}-")
    path = Path(name)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(body)
    try:
        status = subprocess.call([*shlex.split(editor), name])
    except OSError as error:
        path.unlink()
        fail(f"{editor}: {error.strerror}; VISUAL or EDITOR names an editor")
    if status:
        path.unlink()
        fail(f"{editor} ended with status {status}; {letter.message.id} is left as it was")
    content = path.read_text("utf-8")
    if content == body:
        path.unlink()
        return letter.message.body
    try:
        changed = encoded(decoded(content))
    except ValueError as error:
        fail(
            f"this is not JSON: {error}; {letter.message.id} is left as it was, your text in {name}"
        )
    path.unlink()
    return changed
