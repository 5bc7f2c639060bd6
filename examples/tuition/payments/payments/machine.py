"""The life of a payment, as pure functions: what may follow what, and why.

::

    awaiting_funds ──► funded ──► converted ──► paid_out
      │   │   ▲          │ ▲  when it has been cleared
      │   ▼   │          │ │ the excess goes back
      │ underpaid ──► overpaid
      ▼   ▼              │
     expired ────────► refunded

Money that comes too late, or too little of it, goes back; so does an excess, before anything
else happens: sending on more than is owed, with a request to return the difference, is an old
way to launder money, so a person looks first. What compliance says of a payment is apart from all
that (``Screening``): only what is funded *and* cleared is converted.
"""

from __future__ import annotations

from enum import StrEnum

from payments.problems import TransitionNotAllowed


class State(StrEnum):
    AWAITING_FUNDS = "awaiting_funds"
    UNDERPAID = "underpaid"
    FUNDED = "funded"
    OVERPAID = "overpaid"
    CONVERTED = "converted"
    PAID_OUT = "paid_out"
    EXPIRED = "expired"
    REFUNDED = "refunded"


class Screening(StrEnum):
    """What compliance says of a payment.

    Attributes:
        NONE: it has not been asked, because the money is not here.
        ASKED: it has not answered.
        HELD: a person is looking.
        CLEARED: nothing stands in the way, or a person has released it.
        REJECTED: a person has decided that the money goes back.
    """

    NONE = "none"
    ASKED = "asked"
    HELD = "held"
    CLEARED = "cleared"
    REJECTED = "rejected"


S = State
NEXT: dict[State, frozenset[State]] = {
    S.AWAITING_FUNDS: frozenset({S.UNDERPAID, S.FUNDED, S.OVERPAID, S.EXPIRED}),
    S.UNDERPAID: frozenset({S.FUNDED, S.OVERPAID, S.EXPIRED, S.REFUNDED}),
    S.FUNDED: frozenset({S.CONVERTED, S.OVERPAID, S.REFUNDED}),
    S.OVERPAID: frozenset({S.FUNDED, S.REFUNDED}),
    S.CONVERTED: frozenset({S.PAID_OUT}),
    S.PAID_OUT: frozenset(),
    S.EXPIRED: frozenset({S.REFUNDED}),
    S.REFUNDED: frozenset({S.EXPIRED}),
}

OPEN = frozenset({S.AWAITING_FUNDS, S.UNDERPAID})
"""Still waiting for the payer."""

SETTLED = frozenset({S.CONVERTED, S.PAID_OUT})
"""The payer's money has become the school's; what comes now is not owed to anybody."""


def move(state: State, to: State) -> State:
    """``to``, if it may follow ``state``.

    Raises:
        TransitionNotAllowed: it may not.
    """
    if to not in NEXT[state]:
        raise TransitionNotAllowed(
            state=state.value,
            to=to.value,
            detail=f"A payment that is {state.value} cannot become {to.value}.",
        )
    return to


def after_transfer(state: State, *, held: int, to_pay: int, late: bool) -> State:
    """The state after money has come.

    Args:
        held: all the payer's money that is here now, in minor units.
        to_pay: what was asked for.
        late: it was booked after the last day the rate was locked for.
    """
    if state in SETTLED or state in (S.EXPIRED, S.OVERPAID):
        return state
    if state is S.REFUNDED:
        return move(state, S.EXPIRED)  # a second transfer: it has to go back like the first
    if late and state in OPEN:
        return move(state, S.EXPIRED)
    if held == to_pay:
        return move(state, S.FUNDED)
    after = S.UNDERPAID if held < to_pay else S.OVERPAID
    return state if state is after else move(state, after)


def returnable(state: State, *, held: int, to_pay: int, rejected: bool = False) -> int:
    """How much of what is held may go back to the payer, in minor units."""
    return held - to_pay if state is S.OVERPAID and not rejected else held


def after_return(state: State, *, rejected: bool = False) -> State:
    """The state after what is returnable has gone back."""
    if state in SETTLED:
        return state
    return move(state, S.FUNDED if state is S.OVERPAID and not rejected else S.REFUNDED)
