from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st
from payments import reference
from stdnum import iso11649

BODIES = st.text(string.ascii_uppercase + string.digits, min_size=1, max_size=21)


def remainder(text: str) -> int:
    """ISO 11649 by its own words: the first four to the end, letters as numbers, modulo 97."""
    return int("".join(str(int(character, 36)) for character in text[4:] + text[:4])) % 97


def test_the_example_of_the_standard() -> None:
    assert reference.make("539007547034") == "RF18539007547034"
    assert reference.spaced("RF18539007547034") == "RF18 5390 0754 7034"


@given(BODIES)
def test_the_remainder_is_one(body: str) -> None:
    made = reference.make(body)
    assert remainder(made) == 1
    assert iso11649.is_valid(made)


@given(BODIES, st.data())
def test_one_wrong_character_or_two_swapped_are_noticed(body: str, data: st.DataObject) -> None:
    made = reference.make(body)
    place = data.draw(st.integers(2, len(made) - 1))
    other = data.draw(st.sampled_from(string.digits).filter(lambda c: c != made[place]))
    if made[place].isdigit():
        assert remainder(made[:place] + other + made[place + 1 :]) != 1
    if place + 1 < len(made) and made[place].isdigit() and made[place + 1].isdigit():
        swapped = made[:place] + made[place + 1] + made[place] + made[place + 2 :]
        assert swapped == made or remainder(swapped) != 1


def test_fresh_ones_are_twelve_digits_long() -> None:
    assert reference.fresh(lambda below: 42) == reference.make("000000000042")
    assert len({reference.fresh() for _ in range(100)}) == 100
