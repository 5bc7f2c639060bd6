"""Reading a command line."""

from __future__ import annotations

import pytest

from skerry.cli.options import Verb, option, switch
from skerry.cli.output import Failed

VERB = Verb(
    "serving:version",
    "try",
    (
        option("first", metavar="FIRST"),
        option("rest", metavar="REST", nargs="*", default=[]),
        option("--lines", "-n", type=int, default=5),
        switch("--follow", "-f", help="go on"),
    ),
)


@pytest.mark.parametrize(
    "line", ["a b c -n 3 -f", "-n 3 -f a b c", "a -n 3 b -f c", "a -n3 b c --follow", "a b c -fn3"]
)
def test_options_stand_anywhere(line: str) -> None:
    found = VERB.parser("try").read(line.split())
    assert found == {"first": "a", "rest": ["b", "c"], "lines": 3, "follow": True}


def test_defaults() -> None:
    found = VERB.parser("try").read(["a"])
    assert found == {"first": "a", "rest": [], "lines": 5, "follow": False}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "FIRST"),
        ("a --folow", "there is no option --folow. Did you mean '--follow'?"),
        ("a --foll", "there is no option --foll."),
        ("a --lines", "expected one argument"),
        ("a -n x", "invalid int value"),
    ],
)
def test_mistakes_are_failures(line: str, said: str) -> None:
    with pytest.raises(Failed) as failed:
        VERB.parser("try").read(line.split())
    assert said in str(failed.value)
    assert "`skerry try --help`" in str(failed.value)
    assert failed.value.status == 2
