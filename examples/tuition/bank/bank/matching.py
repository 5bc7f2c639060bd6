"""Whose money it is: the reference in what a payer wrote, if it can be told for certain.

People write ``rf18 5390 0754 7034``, put "Ref.:" before it and their name after it, and leave
``RF`` away. All that is undone. The check digits decide: a reference with a wrong digit, or two
different valid ones in a text, are left to a person; nobody's money is guessed about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import accumulate

from stdnum import iso11649

BODY_DIGITS = 12
_WORDS = re.compile(r"[0-9A-Za-z]+")
_WITH_PREFIX = re.compile(rf"RF\d{{{BODY_DIGITS + 2}}}")
_WITHOUT_PREFIX = re.compile(rf"\d{{{BODY_DIGITS + 2}}}")


def find_reference(texts: Iterable[str]) -> str | None:
    """The one valid reference in what was written; None if there is none, or more than one."""
    found = {reference for text in texts for reference in _candidates(text)}
    return found.pop() if len(found) == 1 else None


def _candidates(text: str) -> Iterable[str]:
    """Every run of neighbouring words that is a reference of ours when joined."""
    words = _WORDS.findall(text.upper())
    for start in range(len(words)):
        for run in accumulate(words[start:]):
            if len(run) > BODY_DIGITS + 4:
                break
            if _WITHOUT_PREFIX.fullmatch(run):
                run = "RF" + run
            if _WITH_PREFIX.fullmatch(run) and iso11649.is_valid(run):
                yield run
