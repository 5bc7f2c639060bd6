from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payments.machine import (
    NEXT,
    SETTLED,
    State,
    after_return,
    after_transfer,
    move,
    returnable,
)
from payments.problems import TransitionNotAllowed

AMOUNTS = st.integers(1, 10**12)


def test_every_state_can_be_reached_and_every_pair_is_decided() -> None:
    assert set(NEXT) == set(State)
    reached, frontier = {State.AWAITING_FUNDS}, [State.AWAITING_FUNDS]
    while frontier:
        new = NEXT[frontier.pop()] - reached
        reached |= new
        frontier += new
    assert reached == set(State)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("to", list(State))
def test_only_what_is_drawn_may_happen(state: State, to: State) -> None:
    if to in NEXT[state]:
        assert move(state, to) is to
        return
    with pytest.raises(TransitionNotAllowed) as refused:
        move(state, to)
    assert (refused.value.status, refused.value.state, refused.value.to) == (409, state, to)


@pytest.mark.parametrize(
    ("state", "held", "late", "after"),
    [
        (State.AWAITING_FUNDS, 99, False, State.UNDERPAID),
        (State.AWAITING_FUNDS, 100, False, State.FUNDED),
        (State.AWAITING_FUNDS, 101, False, State.OVERPAID),
        (State.UNDERPAID, 99, False, State.UNDERPAID),
        (State.UNDERPAID, 100, False, State.FUNDED),
        (State.UNDERPAID, 101, False, State.OVERPAID),
        (State.AWAITING_FUNDS, 100, True, State.EXPIRED),
        (State.UNDERPAID, 100, True, State.EXPIRED),
        (State.OVERPAID, 201, False, State.OVERPAID),
        (State.EXPIRED, 100, False, State.EXPIRED),
        (State.REFUNDED, 100, False, State.EXPIRED),
        (State.CONVERTED, 100, False, State.CONVERTED),
        (State.PAID_OUT, 1, True, State.PAID_OUT),
        (State.FUNDED, 101, False, State.OVERPAID),
    ],
)
def test_what_a_transfer_does(state: State, held: int, late: bool, after: State) -> None:
    assert after_transfer(state, held=held, to_pay=100, late=late) is after


@given(st.lists(AMOUNTS, min_size=1, max_size=6), AMOUNTS, st.booleans())
def test_whatever_comes_nothing_is_kept_that_is_not_owed(
    transfers: list[int], to_pay: int, late: bool
) -> None:
    """Send anything in any pieces, then return what may be returned until nothing is left."""
    state, held, gone_back, converted = State.AWAITING_FUNDS, 0, 0, 0
    for amount in transfers:
        held += amount
        state = after_transfer(state, held=held, to_pay=to_pay, late=late)
        if state is State.FUNDED:
            state, held, converted = move(state, State.CONVERTED), held - to_pay, to_pay
    while amount := returnable(state, held=held, to_pay=to_pay):
        state, held, gone_back = after_return(state), held - amount, gone_back + amount
        if state is State.FUNDED:
            state, held, converted = move(state, State.CONVERTED), held - to_pay, to_pay
    assert held == 0
    assert sum(transfers) == converted + gone_back
    assert (state in SETTLED) == (converted == to_pay)
    assert state in SETTLED or state is State.REFUNDED
    if not late and sum(transfers) == to_pay:
        assert state is State.CONVERTED
