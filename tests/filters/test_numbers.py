from __future__ import annotations

import math
from typing import Any

import pytest

from skerry.core.errors import ConfigError
from skerry.filters.attempt import AttemptSettings
from skerry.filters.balance import BalanceSettings
from skerry.filters.breaker import BreakerSettings
from skerry.filters.budget import BudgetSettings
from skerry.filters.deadline import DeadlineSettings
from skerry.filters.retry import RetrySettings
from skerry.stack.server import ServerSettings

ALL = {
    AttemptSettings: ["timeout"],
    BalanceSettings: ["decay"],
    BreakerSettings: ["window", "consecutive", "reopen", "longest"],
    BudgetSettings: ["window"],
    DeadlineSettings: ["timeout", "idle"],
    RetrySettings: ["attempts"],
    ServerSettings: ["timeout"],
}


@pytest.mark.parametrize(
    ("settings", "name"), [(kind, name) for kind, names in ALL.items() for name in names]
)
@pytest.mark.parametrize("value", [0, -1.0, math.inf, math.nan])
def test_settings_nothing_could_work_with_are_refused(
    settings: Any, name: str, value: float
) -> None:
    with pytest.raises(ConfigError, match=rf"{settings.__name__}\({name}="):
        settings(**{name: value})


def test_no_limit_is_none() -> None:
    assert DeadlineSettings(idle=None).idle is None
