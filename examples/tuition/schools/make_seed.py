"""Make ``schools/seed.csv`` from the facts about the world's universities.

    python make_seed.py FACTS.csv > schools/seed.csv

FACTS has the columns ``name,country,region,domain``, distilled from the public list at
https://github.com/Hipo/university-domains-list (MIT). The seed keeps the schools of countries
whose currency the European Central Bank publishes a rate for, at most a few dozen of each, so
that no country fills the list. Names, countries and domains are facts. Payout accounts are not
public: these are made up, valid by their check digits, and the same in every run.
"""

from __future__ import annotations

import csv
import hashlib
import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator

from babel.numbers import get_territory_currencies
from currency_converter import CurrencyConverter
from schwifty import IBAN
from schwifty.exceptions import SchwiftyException

COLUMNS = ("id", "name", "country", "domain", "currency", "scheme", "account", "bank")
MOST_PER_COUNTRY = 18

# Since 2026-01-01, which the tables of Unicode do not say yet.
NEW_IN_THE_EURO = {"BG"}

# How accounts are written where there is no IBAN: the bank's code, then the account's digits.
DOMESTIC = {
    "US": ("aba", 9, 10),
    "CA": ("cacpa", 9, 10),
    "AU": ("aubsb", 6, 9),
    "NZ": ("nzncc", 6, 10),
    "IN": ("ifsc", 0, 12),
    "CN": ("cnaps", 12, 16),
    "JP": ("zengin", 7, 7),
}


def main(facts: Iterable[dict[str, str]]) -> Iterator[dict[str, str]]:
    bounds = CurrencyConverter(decimal=True).bounds
    today = max(bound.last_date for bound in bounds.values())
    rates = {currency for currency, bound in bounds.items() if bound.last_date == today}
    by_country: dict[str, list[dict[str, str]]] = defaultdict(list)
    taken = set()
    for row in facts:
        id = row["domain"].lower().replace(".", "-")
        currency = _currency(row["country"])
        if id in taken or currency not in rates:
            continue
        taken.add(id)
        by_country[row["country"]].append({**row, "id": id, "currency": currency})
    for _, schools in sorted(by_country.items()):
        chosen = sorted(schools, key=lambda row: _number(row["id"]))[:MOST_PER_COUNTRY]
        for row in sorted(chosen, key=lambda row: row["name"]):
            yield {key: value for key, value in {**row, **_account(row)}.items() if key in COLUMNS}


def _currency(country: str) -> str:
    used = ["EUR"] if country in NEW_IN_THE_EURO else get_territory_currencies(country)
    return used[0] if used else ""


def _account(row: dict[str, str]) -> dict[str, str]:
    chance = random.Random(_number(row["id"]))
    try:
        iban = IBAN.random(country_code=row["country"], random=chance)
    except SchwiftyException:
        scheme, bank, account = DOMESTIC.get(row["country"], ("domestic", 7, 10))
        code = _aba(chance) if scheme == "aba" else _digits(chance, bank)
        if scheme == "ifsc":
            code = "SBIN0" + _digits(chance, 6)
        return {"scheme": scheme, "account": _digits(chance, account), "bank": code}
    return {"scheme": "iban", "account": str(iban), "bank": str(iban.bic or "")}


def _digits(chance: random.Random, count: int) -> str:
    return "".join(chance.choices("0123456789", k=count))


def _aba(chance: random.Random) -> str:
    """A routing number of the Federal Reserve: the weighted sum is a multiple of ten."""
    body = f"{chance.randint(1, 12):02d}" + _digits(chance, 6)
    total = sum(int(d) * w for d, w in zip(body, (3, 7, 1, 3, 7, 1, 3, 7), strict=True))
    return body + str(-total % 10)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


if __name__ == "__main__":
    print("# Facts: https://github.com/Hipo/university-domains-list (MIT). Accounts: made up.")
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        writer.writerows(main(csv.DictReader(file)))
