"""Where payers send money: one collection account per currency, at one bank.

The accounts are made up, with valid check digits: the bank is the one of every IBAN example in
the standard's own documents, and the account number says the currency.
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
def collection_account(currency: str) -> Account:
    """The account that takes this currency (ISO 4217)."""
    iban = IBAN.generate("DE", BANK_CODE, f"5320{Currency(currency).number:03d}000")
    return Account(str(iban), str(iban.bic), HOLDER, currency)
