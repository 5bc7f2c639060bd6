"""Tables line up, colours are for eyes."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable

import pytest

from skerry.cli import output
from skerry.cli.output import age, coloured, duration, echo_json, nearest, paint, table

HEADS = ("APP", "STATE", "PID", "WHY")
ROWS = [["one", "ready", "1", "short"], ["three", "crashed", "12345", "because of " * 6]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Terminal]:
    """Standard output is a terminal of so many columns."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")

    def make(columns: int) -> Terminal:
        stream = Terminal()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(output, "_columns", lambda: columns)
        return stream

    return make


def test_a_row_is_a_line_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    table(HEADS, ROWS, right=["PID"], spare=["PID"])
    assert capsys.readouterr().out.splitlines() == [
        "APP    STATE      PID  WHY",
        "one    ready        1  short",
        f"three  crashed  12345  {('because of ' * 6).rstrip()}",
    ]


def test_on_a_terminal_it_fits(terminal: Callable[[int], Terminal]) -> None:
    stream = terminal(50)
    table(HEADS, ROWS, right=["PID"], spare=["PID"])
    text = re.sub(r"\x1b\[\d+m", "", stream.getvalue())
    assert max(map(len, text.splitlines())) <= 50
    assert "PID" not in text and "12345" not in text
    assert text.split().count("because") == 6


def test_on_a_wide_one_nothing_is_left_out(terminal: Callable[[int], Terminal]) -> None:
    stream = terminal(200)
    table(HEADS, ROWS, right=["PID"], spare=["PID"])
    assert "12345" in stream.getvalue()
    assert "\x1b[32mready" in stream.getvalue()


def test_a_table_without_rows(capsys: pytest.CaptureFixture[str]) -> None:
    table(HEADS, [])
    assert capsys.readouterr().out == "APP  STATE  PID  WHY\n"


def test_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert paint("x", "red", Terminal()) == "\x1b[31mx\x1b[0m"
    assert paint("x", "red", io.StringIO()) == "x"
    monkeypatch.setenv("TERM", "dumb")
    assert not coloured(Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured(Terminal())


def test_json_keeps_letters(capsys: pytest.CaptureFixture[str]) -> None:
    echo_json({"name": "Koç"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"name": "Koç"} and "Koç" in out


def test_json_is_coloured_on_a_terminal(terminal: Callable[[int], Terminal]) -> None:
    stream = terminal(80)
    echo_json({"name": ["Koç", 1.5]})
    assert "\x1b[32m" in stream.getvalue()
    assert json.loads(re.sub(r"\x1b\[\d+m", "", stream.getvalue())) == {"name": ["Koç", 1.5]}


def test_nearest() -> None:
    assert nearest("qotes", ["quotes", "schools"]) == " Did you mean 'quotes'?"
    assert nearest("zzz", ["b", "a"]) == " There is a, b."
    assert nearest("zzz", []) == ""
    assert nearest("?", [f"app{n}" for n in range(50)]).endswith(", ….")


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0s"), (59.9, "59s"), (60, "1m"), (7300, "2h"), (200_000, "2d")]
)
def test_age(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0000125, "12µs"), (0.0123, "12.3ms"), (3.21, "3.21s")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
