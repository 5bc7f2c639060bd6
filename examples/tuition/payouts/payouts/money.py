"""Amounts: decimals to people and other apps, whole minor units in the database.

SQLite has no decimal type, and a float is never an amount. How many decimals a currency has is
ISO 4217's to say: 2 for EUR, 0 for JPY, 3 for KWD.
"""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, localcontext

from iso4217 import Currency

DIGITS = 16
"""Before the point. No payment has more; a database's integers end not far above."""

# More digits than any product of an amount and a rate has; what would round raises instead.
EXACT = Context(prec=60, traps=[Inexact])


class NotAnAmount(ValueError):
    """There is no such sum of money: the currency is unknown, or has fewer decimals."""


def digits(currency: str) -> int:
    """Decimals of an amount in this currency.

    Raises:
        NotAnAmount: nothing is paid in it.
    """
    try:
        exponent = Currency(currency).exponent
    except ValueError:
        exponent = None
    if exponent is None:
        raise NotAnAmount(f"{currency} is not a currency of ISO 4217 that money is paid in")
    return exponent


def to_minor(amount: Decimal, currency: str) -> int:
    """``12.30 EUR`` is 1230 cents.

    Raises:
        NotAnAmount: 12.345 EUR cannot be paid.
    """
    decimals = digits(currency)
    if not amount.is_finite() or amount.adjusted() >= DIGITS:
        raise NotAnAmount(f"{amount:.6g} {currency} is not a sum that anybody pays")
    with localcontext(EXACT):
        units = amount.scaleb(decimals)
        if units != units.to_integral_value():
            raise NotAnAmount(f"{amount} {currency} has more than {decimals} decimals")
        return int(units)


def from_minor(units: int, currency: str) -> Decimal:
    """1230 cents are ``12.30 EUR``, written with every decimal the currency has."""
    with localcontext(EXACT):
        return Decimal(units).scaleb(-digits(currency))
