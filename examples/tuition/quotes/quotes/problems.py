"""What can be wrong with a quote."""

from __future__ import annotations

from datetime import datetime

from skerry import Problem


class CurrencyUnknown(Problem, status=422):
    """No rate is published for this currency."""

    currency: str


class SchoolUnknown(Problem, status=422):
    """There is no such school."""

    school_id: str


class AmountNotPayable(Problem, status=422):
    """The currency has no such amount."""

    currency: str


class QuoteUnknown(Problem, status=404):
    """There is no such quote."""


class QuoteExpired(Problem, status=410):
    """The rate was locked for a while, which is over."""

    expired: datetime


class QuoteTaken(Problem, status=409):
    """Another payment has been made of this quote."""
