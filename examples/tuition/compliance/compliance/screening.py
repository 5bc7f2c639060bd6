"""Whether a person has to look at a payment, as pure functions.

A name is compared as people write names: without accents, in any case and order, with a letter or
two wrong. The list is made up; real ones (the EU's, OFAC's) have these two columns and some more.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path

from msgspec import Struct

LIST = Path(__file__).with_name("sanctions.csv")
COUNTRIES = frozenset({"IR", "KP", "SY"})
LIMIT = Decimal(15_000)
"""In euros: from there on somebody looks (Directive (EU) 2015/849, article 11)."""

LETTERS_FOR_ONE_WRONG = 6


class Listed(Struct, frozen=True):
    """Somebody on the list."""

    name: str
    country: str


class Subject(Struct, frozen=True):
    """What is known of a payment that is looked at.

    Attributes:
        names: of all who take part.
        country: the school's (ISO 3166-1 alpha-2).
    """

    names: tuple[str, ...]
    country: str
    amount: Decimal
    currency: str


@cache
def listed(file: Path = LIST) -> tuple[Listed, ...]:
    """The sanctions list."""
    with file.open(encoding="utf-8", newline="") as rows:
        return tuple(Listed(row["name"], row["country"]) for row in csv.DictReader(rows))


def reasons(
    subject: Subject, per_euro: Mapping[str, Decimal], people: Iterable[Listed] = listed()
) -> list[str]:
    """Why a person has to look; nothing, if nobody has to.

    Args:
        per_euro: what a euro costs, by currency.
    """
    known = list(people)
    found = [
        f"{name} is like {other.name} ({other.country}) on the sanctions list"
        for name in subject.names
        for other in known
        if alike(name, other.name)
    ]
    if subject.country in COUNTRIES:
        found.append(f"the school is in {subject.country}")
    rate = per_euro.get(subject.currency)
    if rate is None:
        found.append(f"{subject.currency} has no rate, so nobody knows how much it is")
    elif subject.amount >= LIMIT * rate:
        found.append(f"{subject.amount} {subject.currency} is at least {LIMIT} EUR")
    return found


def alike(one: str, other: str) -> bool:
    """Whether two names may be the same person's."""
    first, second = plain(one), plain(other)
    if not first or not second:
        return False
    allowed = min(len(first), len(second)) // LETTERS_FOR_ONE_WRONG
    return distance(first, second, allowed) <= allowed


def plain(name: str) -> str:
    """Letters and digits alone, words in order: ``KAYA, Aylín`` is ``aylin kaya``."""
    bare = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(letter for letter in bare if not unicodedata.combining(letter))
    return " ".join(sorted(re.findall(r"\w+", bare)))


def distance(one: str, other: str, enough: int) -> int:
    """Letters to change, add or leave out to make one of the other (Levenshtein).

    Args:
        enough: above this, any number above it will do.
    """
    if abs(len(one) - len(other)) > enough:
        return enough + 1
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, against in enumerate(other, 1):
            before, row[j] = row[j], min(before + (letter != against), row[j] + 1, row[j - 1] + 1)
        if min(row) > enough:
            return enough + 1
    return row[-1]
