"""The accounts that schools are paid from: one per currency, at one bank, where payers pay in.

The accounts are made up, with valid check digits.
"""

from __future__ import annotations

from functools import cache

from iso4217 import Currency
from msgspec import Struct
from schwifty import IBAN

HOLDER = "Skerry Tuition GmbH"
BANK_CODE = "37040044"


class Account(Struct, frozen=True):
    """One of the company's own accounts."""

    iban: str
    bic: str
    holder: str
    currency: str


@cache
def own_account(currency: str) -> Account:
    """The account that holds this currency (ISO 4217)."""
    iban = IBAN.generate("DE", BANK_CODE, f"5320{Currency(currency).number:03d}000")
    return Account(str(iban), str(iban.bic), HOLDER, currency)
