"""What can be wrong with a payment or a transfer."""

from __future__ import annotations

from skerry import Problem


class PaymentUnknown(Problem, status=404):
    """There is no such payment."""


class ReferenceUnknown(Problem, status=404):
    """No payment has this reference."""

    reference: str


class TransitionNotAllowed(Problem, status=409):
    """The payment is not in a state in which this can happen."""

    state: str
    to: str


class NothingToReturn(Problem, status=409):
    """No money of the payer's is left to go back."""

    state: str


class CurrencyMismatch(Problem, status=409):
    """The transfer is in another currency than the payment asks for."""

    expected: str
    currency: str


class TransferChanged(Problem, status=409):
    """This transfer has been recorded before, and was another one."""


class KeyReused(Problem, status=422):
    """The Idempotency-Key was used before, for another payment."""


class QuoteUnknown(Problem, status=422):
    """There is no such quote."""

    quote_id: str


class QuoteNotUsable(Problem, status=409):
    """The quote has expired, or another payment was made of it."""

    quote_id: str


class AmountNotPayable(Problem, status=422):
    """The currency has no such amount."""

    currency: str
