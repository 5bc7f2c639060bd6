"""The chart of accounts: few, and every one in every currency."""

from __future__ import annotations

from enum import StrEnum


class Account(StrEnum):
    """What money is, or whose it is.

    Attributes:
        BANK: asset. What lies on the company's own accounts.
        UNALLOCATED: liability. Money that has come and is nobody's yet.
        CLIENT_FUNDS: liability. Payers' money that waits to be converted or to go back.
        SCHOOLS_PAYABLE: liability. What schools are owed.
        FX_POSITION: equity. What conversions have brought in one currency and cost in another.
        FEES: income.
    """

    BANK = "bank"
    UNALLOCATED = "unallocated"
    CLIENT_FUNDS = "client_funds"
    SCHOOLS_PAYABLE = "schools_payable"
    FX_POSITION = "fx_position"
    FEES = "fees"
