from __future__ import annotations

from decimal import Decimal

import pytest
from bank.generate import Noise, Payin, written
from bank.matching import find_reference
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_97_10

OURS, OTHER = "RF18539007547034", "RF74000000000001"
NUMBERS = st.integers(0, 10**12 - 1)


def reference(number: int) -> str:
    body = f"{number:012d}"
    return f"RF{mod_97_10.calc_check_digits(body + 'RF')}{body}"


@pytest.mark.parametrize(
    "text",
    [
        OURS,
        OURS.lower(),
        "RF18 5390 0754 7034",
        "rf18-5390-0754-7034",
        "18539007547034",
        "18 5390 0754 7034",
        "RF 18 539007547034",
        "tuition fee RF18539007547034 thank you",
        "Ref.:RF18539007547034/Deniz Kaya/2026",
        "payment 42 ref RF18 5390 0754 7034 student 123456",
        f"{OURS} {OURS}",
    ],
)
def test_what_people_write(text: str) -> None:
    assert find_reference([text]) == OURS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tuition",
        "RF18539007547035",  # a wrong digit
        "RF81539007547034",  # two swapped
        "RF1853900754703",  # one missing
        "RF185390075470340",  # one too many
        "RF18S39007547034",  # a letter for a digit
        f"{OURS} and {OTHER}",  # whose?
        "RF18" * 2_000,
    ],
)
def test_what_nobody_can_tell(text: str) -> None:
    assert find_reference([text]) is None


def test_the_same_reference_in_two_fields_is_one() -> None:
    assert find_reference([OURS, "rf18 5390 0754 7034"]) == OURS
    assert find_reference([OURS, OTHER]) is None


def test_the_references_here_are_valid() -> None:
    assert reference(1) == OTHER
    assert reference(539007547034) == OURS


@given(NUMBERS, st.sampled_from(sorted(set(Noise) - {Noise.WRONG_DIGIT, Noise.MISSING})))
def test_every_noise_that_can_be_undone_is(number: int, noise: Noise) -> None:
    ours = reference(number)
    payin = Payin(ours, Decimal(1), "Aylin Kaya", "X", noise)
    assert find_reference([written(payin)]) == ours


@given(NUMBERS, st.sampled_from([Noise.WRONG_DIGIT, Noise.MISSING]))
def test_what_cannot_be_undone_is_not_guessed(number: int, noise: Noise) -> None:
    payin = Payin(reference(number), Decimal(1), "Aylin Kaya", "X", noise)
    assert find_reference([written(payin)]) is None


@given(NUMBERS, st.text(max_size=40), st.text(max_size=40))
def test_whatever_is_written_around_it_never_makes_it_another(
    number: int, before: str, after: str
) -> None:
    found = find_reference([f"{before} {reference(number)} {after}"])
    assert found in (reference(number), None)
    if not any(character.isdigit() for character in before + after):
        assert found == reference(number)
