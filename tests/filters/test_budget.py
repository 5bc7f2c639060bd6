from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.core.clock import ManualClock
from skerry.core.errors import ConfigError
from skerry.filters.budget import BudgetSettings, RetryBudget


class Still(ManualClock):
    """A clock that is set by hand and wakes nobody."""

    def move(self, seconds: float) -> None:
        self._now += seconds


def spend(budget: RetryBudget, most: int = 10_000) -> int:
    return next(n for n in range(most) if not budget.withdraw())


def test_a_new_client_has_its_reserve() -> None:
    assert spend(RetryBudget(clock=Still())) == 100


def test_requests_earn_a_share() -> None:
    budget = RetryBudget(BudgetSettings(per_second=0.0), Still())
    assert not budget.withdraw()
    for _ in range(1_000):
        budget.deposit()
    assert budget.balance == pytest.approx(200.0)
    assert spend(budget) == 200


def test_what_was_earned_expires() -> None:
    clock = Still()
    budget = RetryBudget(BudgetSettings(per_second=0.0), clock)
    for _ in range(100):
        budget.deposit()
    clock.move(9.0)
    assert budget.balance == pytest.approx(20.0)
    clock.move(2.1)
    assert budget.balance == 0.0


def test_what_was_spent_comes_back() -> None:
    clock = Still()
    budget = RetryBudget(clock=clock)
    assert spend(budget) == 100
    clock.move(5.0)
    assert spend(budget) == 0
    clock.move(6.1)
    assert spend(budget) == 100


@pytest.mark.parametrize("settings", [{"share": -0.1}, {"per_second": -1}, {"window": 0}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="BudgetSettings"):
        BudgetSettings(**settings)


steps = st.lists(
    st.tuples(
        st.floats(min_value=0.0, max_value=4.0),
        st.integers(min_value=0, max_value=60),
        st.integers(min_value=0, max_value=60),
    ),
    max_size=40,
)


@given(steps)
def test_no_retry_exceeds_the_share_of_the_window_that_ends_with_it(
    steps: list[tuple[float, int, int]],
) -> None:
    settings = BudgetSettings(share=0.2, per_second=1.0, window=10.0)
    clock = Still()
    budget = RetryBudget(settings, clock)
    requests: list[float] = []
    retries: list[float] = []
    for pause, asked, failed in steps:
        clock.move(pause)
        now = clock.now()
        for _ in range(asked):
            budget.deposit()
            requests.append(now)
        for _ in range(failed):
            if budget.withdraw():
                retries.append(now)
                spent = sum(at > now - 10.0 for at in retries)
                earned = sum(at > now - 11.0 for at in requests)
                assert spent <= 10.0 + 0.2 * earned + 1e-9


@given(st.integers(min_value=0, max_value=2_000))
def test_a_steady_client_gets_what_it_was_promised(requests: int) -> None:
    budget = RetryBudget(BudgetSettings(per_second=0.0), Still())
    for _ in range(requests):
        budget.deposit()
    assert spend(budget) == requests // 5
