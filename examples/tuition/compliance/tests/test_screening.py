from __future__ import annotations

import unicodedata
from decimal import Decimal

import pytest
from compliance.screening import LIMIT, Listed, Subject, alike, distance, listed, plain, reasons
from hypothesis import given
from hypothesis import strategies as st

PEOPLE = [Listed("Viktor Malenko", "BY"), Listed("Li Wu", "XX")]
RATES = {"EUR": Decimal(1), "JPY": Decimal(160)}
WORDS = st.text("abcdefgh", min_size=1, max_size=9)


def subject(
    *names: str, country: str = "IT", amount: str = "100", currency: str = "EUR"
) -> Subject:
    return Subject(names or ("Aylin Kaya",), country, Decimal(amount), currency)


@pytest.mark.parametrize(
    "name", ["Viktor Malenko", "MALENKO, Viktor", "Víktor  Malénko", "Victor Malenko", "W. u Li"]
)
def test_names_that_are_like_one_on_the_list(name: str) -> None:
    (reason,) = reasons(subject("Aylin Kaya", name), RATES, [*PEOPLE, Listed("U Li W", "XX")])
    assert "on the sanctions list" in reason


@pytest.mark.parametrize("name", ["Viktoria Malenkova", "Malenko", "Li Wa", "Bo Li", "", "---"])
def test_names_that_are_not(name: str) -> None:
    assert reasons(subject(name), RATES, PEOPLE) == []


def test_a_country_nobody_may_pay_to() -> None:
    assert reasons(subject(country="KP"), RATES, PEOPLE) == ["the school is in KP"]


@pytest.mark.parametrize(
    ("amount", "currency", "held"),
    [
        ("14999.99", "EUR", False),
        ("15000.00", "EUR", True),
        ("2399999", "JPY", False),
        ("2400000", "JPY", True),
        ("1", "XAU", True),
    ],
)
def test_how_much_may_pass(amount: str, currency: str, held: bool) -> None:
    found = reasons(subject(amount=amount, currency=currency), RATES, PEOPLE)
    assert bool(found) == held


def test_the_list_is_there_and_finds_itself() -> None:
    assert listed()
    for one in listed():
        assert reasons(subject(one.name), RATES)
    assert Decimal(15_000) == LIMIT


@given(WORDS, WORDS)
def test_distance_is_one(one: str, other: str) -> None:
    far = distance(one, other, 20)
    assert distance(other, one, 20) == far
    assert (far == 0) == (one == other)
    assert abs(len(one) - len(other)) <= far <= max(len(one), len(other))
    for enough in range(4):
        assert (distance(one, other, enough) <= enough) == (far <= enough)


@given(WORDS, WORDS, WORDS)
def test_there_is_no_shorter_way_round(one: str, by: str, other: str) -> None:
    assert distance(one, other, 20) <= distance(one, by, 20) + distance(by, other, 20)


@given(st.lists(WORDS, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_how_a_name_is_written_makes_no_difference(words: list[str], chance: object) -> None:
    name = " ".join(words)
    mixed = list(words)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert alike(name, ", ".join(mixed).upper())
    assert plain(unicodedata.normalize("NFD", name)) == plain(name)
