"""Reference rates of the European Central Bank, and what a payer is asked for.

The price, in full:

- the *mid rate* is the quotient of the two reference rates per euro of the latest day;
- the *rate* is the mid rate and a margin of 0.75 %, rounded half to even to eight significant
  digits; where nothing is converted it is one;
- what is *converted* is the school's amount times the rate, rounded **up** to the smallest unit
  of the payer's currency: the school's amount is exact, so a fraction of a cent is either asked
  of the payer or missing;
- the *fee* is four euros, at the mid rate, rounded half to even to the smallest unit;
- the payer pays what is converted and the fee.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal, localcontext
from itertools import islice

from currency_converter import CurrencyConverter

from quotes.money import digits

MARGIN = Decimal("0.0075")
FEE_IN_EUROS = Decimal(4)
SIGNIFICANT_DIGITS = Context(prec=8, rounding=ROUND_HALF_EVEN)
PRECISE = Context(prec=40, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True)
class Price:
    """What one payment costs its payer, in the payer's currency."""

    mid_rate: Decimal
    rate: Decimal
    converted: Decimal
    fee: Decimal

    @property
    def to_pay(self) -> Decimal:
        return self.converted + self.fee


@dataclass(frozen=True)
class Rates:
    """One day's reference rates.

    Attributes:
        per_euro: how much of a currency one euro is.
    """

    day: date
    per_euro: Mapping[str, Decimal]

    @classmethod
    def latest(cls) -> Rates:
        """The last day of the history that CurrencyConverter carries."""
        history = _LastDay(decimal=True)
        days = {bound.last_date for bound in history.bounds.values()}
        per_euro = {c: history.convert(1, "EUR", c) for c in sorted(history.currencies)}
        return cls(max(days), per_euro)

    def mid(self, currency: str, pay_in: str) -> Decimal:
        """How much of ``pay_in`` one unit of ``currency`` is worth.

        Raises:
            KeyError: no rate is published for one of them.
        """
        with localcontext(PRECISE):
            return self.per_euro[pay_in] / self.per_euro[currency]

    def price(self, amount: Decimal, currency: str, pay_in: str) -> Price:
        """What a payer with ``pay_in`` is asked for, so that the school gets ``amount``.

        Raises:
            KeyError: no rate is published for one of the currencies.
        """
        unit = Decimal(1).scaleb(-digits(pay_in))
        mid = self.mid(currency, pay_in)
        with localcontext(PRECISE):
            margin = Decimal(0) if currency == pay_in else MARGIN
            rate = SIGNIFICANT_DIGITS.plus(mid * (1 + margin))
            return Price(
                mid_rate=SIGNIFICANT_DIGITS.plus(mid),
                rate=rate,
                converted=(amount * rate).quantize(unit, ROUND_CEILING),
                fee=(FEE_IN_EUROS * self.per_euro[pay_in]).quantize(unit, ROUND_HALF_EVEN),
            )


class _LastDay(CurrencyConverter):  # type: ignore[misc]  # it has no types
    """The history, newest day first, is 27 years long; a quote needs one line of it."""

    def load_lines(self, lines: Iterable[str]) -> None:
        super().load_lines(islice(lines, 2))
