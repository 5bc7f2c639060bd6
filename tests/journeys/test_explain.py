"""What a failed ``assert`` says where pytest is not there to rewrite it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from skerry import Problem
from skerry.journeys.explain import failure, message

SCRIPT = """
from skerry.journeys.explain import message, failure

class Quote:
    to_pay = 0
    @property
    def broken(self):
        raise RuntimeError("not this")

class Odd:
    def __repr__(self):
        raise RuntimeError("no")
    def __eq__(self, other):
        return False

def check(quote, items, odd):
    {line}

try:
    check(Quote(), {{"a": [1, 2]}}, Odd())
except AssertionError as error:
    print(message(error))
    print(failure(error, __file__, "step").where)
"""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("assert quote.to_pay > 0", "assert quote.to_pay > 0, where quote.to_pay is 0"),
        ('assert items["a"][1] == 3', 'assert items["a"][1] == 3, where items["a"][1] is 2'),
        ("assert quote.to_pay, 'nothing to pay'", "nothing to pay"),
        ("assert len(items) == 5", "assert len(items) == 5, where items is {'a': [1, 2]}"),
        ("assert odd == 1", "assert odd == 1, where odd is <Odd, whose repr raises RuntimeError>"),
        ("assert False", "assert False"),
        (
            "assert (quote.to_pay\n        > 1)",
            "assert (quote.to_pay > 1), where quote.to_pay is 0",
        ),
        ("raise AssertionError", "raise AssertionError"),
        ("raise AssertionError('said')", "said"),
    ],
)
def test_an_assertion_says_its_line_and_values(tmp_path: Path, line: str, said: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(line=line))
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    first, where = done.stdout.splitlines()
    assert first == said
    assert where.startswith("script.py:")


def test_long_values_are_cut() -> None:
    error: Exception | None = None
    namespace = {"text": "x" * 1000}
    try:
        exec(compile("assert text == 1", "nowhere", "exec"), namespace)
    except AssertionError as raised:
        error = raised
    assert error is not None
    assert len(message(error)) < 300


def test_other_errors_are_their_text_or_their_name() -> None:
    class SoldOut(Problem, status=409):
        """There is none left."""

    assert message(ValueError("x")) == "x"
    assert message(ValueError()) == "ValueError"
    assert "There is none left" in message(SoldOut())


def test_the_stack_begins_with_the_journey() -> None:
    def inner() -> None:
        raise KeyError("gone")

    try:
        inner()
    except KeyError as error:
        told = failure(error, __file__, "look")
    assert (told.type, told.step) == ("KeyError", "look")
    assert told.stack.lstrip().startswith(f'File "{__file__}"')
    assert told.stack.rstrip().endswith("KeyError: 'gone'")
