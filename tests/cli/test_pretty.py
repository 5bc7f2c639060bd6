"""JSON for eyes says what the JSON said."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.cli.calling import readable
from skerry.cli.pretty import indented, is_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_it_is_indented_as_python_does_it(value: Any, ascii_only: bool) -> None:
    shown = indented(json.dumps(value, ensure_ascii=ascii_only))
    assert re.sub(r"[\x7f-\x9f]", "", shown) == shown
    expected = json.dumps(value, indent=2, ensure_ascii=False)
    assert shown == re.sub(r"[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", expected)


@given(VALUES)
def test_colours_change_nothing_else(value: Any) -> None:
    text = json.dumps(value)
    assert re.sub(r"\x1b\[\d+m", "", indented(text, colour=True)) == indented(text)


@pytest.mark.parametrize(
    "text", ["12345678901234567890.10", "1E400", "-0.0", "1.50", '{\n  "a": 1,\n  "a": 2\n}']
)
def test_what_was_written_is_shown(text: str) -> None:
    assert indented(text) == text


def test_colours() -> None:
    assert indented('{"a":[1,"b",null]}', colour=True) == (
        '{\n  \x1b[34m"a"\x1b[0m: [\n    \x1b[36m1\x1b[0m,\n    \x1b[32m"b"\x1b[0m,\n'
        "    \x1b[35mnull\x1b[0m\n  ]\n}"
    )


def test_what_is_not_json() -> None:
    assert is_json("[]")
    assert not any(map(is_json, ("", "{", "[1,]", "a", "[" * 100_000, "[]]")))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'{"a":1.10}', '{\n  "a": 1.10\n}'),
        (b"plain\n", "plain"),
        (b"[" * 3, "[[["),
        (b"\xff", None),
        (b"", ""),
    ],
)
def test_bodies(content: bytes, text: str | None) -> None:
    assert readable(content) == text
