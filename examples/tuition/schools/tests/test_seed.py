from __future__ import annotations

import csv
from importlib.resources import files

import pytest
from iso4217 import Currency
from schwifty import IBAN
from schwifty.exceptions import SchwiftyException


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    text = files("schools").joinpath("seed.csv").read_text("utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def test_there_are_over_500_schools_in_many_countries(rows: list[dict[str, str]]) -> None:
    assert len(rows) > 500
    assert len({row["id"] for row in rows}) == len(rows)
    assert len({row["country"] for row in rows}) > 50
    assert len({row["currency"] for row in rows}) >= 28


def test_every_account_is_valid(rows: list[dict[str, str]]) -> None:
    for row in rows:
        assert Currency(row["currency"]).code == row["currency"]
        if row["scheme"] == "iban":
            assert IBAN(row["account"]).country_code == row["country"]
        else:
            assert row["account"].isdigit()
            with pytest.raises(SchwiftyException):
                IBAN.random(row["country"])


def test_routing_numbers_have_the_check_digit_of_the_federal_reserve(
    rows: list[dict[str, str]],
) -> None:
    numbers = [row["bank"] for row in rows if row["scheme"] == "aba"]
    assert numbers
    for number in numbers:
        digits = [int(digit) for digit in number]
        assert sum(d * w for d, w in zip(digits, (3, 7, 1) * 3, strict=True)) % 10 == 0
