"""Budgets, and how fast they go."""

from __future__ import annotations

import msgspec
import pytest

from skerry.observe.model import CLIENT, CONSUMER, SERVER, Endpoint, Span
from skerry.observe.objectives import WINDOWS, Indicator, Objective, Objectives, Standing

NOW = 1_700_000_000.0
HOUR = 3600
HOURLY = next(window for window in WINDOWS if window.long == HOUR)


def made(**fields: float) -> Indicator:
    measure = "latency" if "latency" in fields else "availability"
    return Indicator("pay", Objective(**fields), measure)  # type: ignore[arg-type]


def fill(indicator: Indicator, since: float, until: float, every: float, bad: float) -> None:
    """Requests from ``since`` to ``until`` seconds before now, that part of which is bad."""
    count, owed = int((since - until) / every), 0.0
    for number in range(count):
        owed += bad
        failed = owed >= 1
        owed -= failed
        indicator.record(NOW - since + number * every, failed, 0.1)


def test_a_budget_is_used_up() -> None:
    indicator = made(availability=99.0)
    assert indicator.left(NOW) == 1
    for number in range(1000):
        indicator.record(NOW - number, number % 200 == 0, 0.1)
    assert indicator.counts(NOW, HOUR) == (1000, 5)
    assert indicator.burn(NOW, HOUR) == pytest.approx(0.5)
    assert indicator.left(NOW) == pytest.approx(0.5)


def test_what_fails_half_of_the_time_pages_within_seconds() -> None:
    indicator = made(availability=99.9)
    fill(indicator, 1800, 5, 0.05, 0)
    assert indicator.burning(NOW) is None
    fill(indicator, 5, 0, 0.05, 0.5)
    window = indicator.burning(NOW)
    assert window is not None and window.severity == "page" and window.long == 10


@pytest.mark.parametrize(
    ("bad", "since", "severity"),
    [
        (0.0005, HOUR, None),
        (0.02, HOUR, "page"),
        (0.008, 6 * HOUR, "page"),
        (0.002, 72 * HOUR, "ticket"),
    ],
)
def test_windows(bad: float, since: float, severity: str | None) -> None:
    indicator = made(availability=99.9)
    fill(indicator, since, 0, since / 20_000, bad)
    window = indicator.burning(NOW)
    assert (window and window.severity) == severity


def test_what_is_over_pages_nobody() -> None:
    indicator = made(availability=99.9)
    fill(indicator, HOUR, 600, 0.5, 0.1)
    fill(indicator, 600, 0, 0.5, 0)
    assert indicator.burn(NOW, HOUR) > 14.4
    assert indicator.burning(NOW, [HOURLY]) is None


def test_one_bad_request_at_night_is_chance() -> None:
    indicator = made(availability=99.9)
    indicator.record(NOW, True, 0.1)
    indicator.record(NOW, True, 0.1)
    assert indicator.burning(NOW) is None


def test_latency_counts_what_did_not_fail() -> None:
    indicator = made(latency=0.3)
    for seconds, failed in ((0.1, False), (0.4, False), (9.0, True)):
        indicator.record(NOW, failed, seconds)
    assert indicator.counts(NOW, HOUR) == (2, 1)


def test_memory_is_bounded() -> None:
    indicator = made(availability=99.9)
    for number in range(20_000):
        indicator.record(NOW + number * 31, False, 0.1)
    five, minutes, hours = map(len, indicator.dump())
    assert five <= 121 and minutes <= 361 and hours == 173


def served(service: str, name: str, error: bool = False, kind: str = SERVER, ms: int = 10) -> Span:
    return Span(
        "a" * 32,
        id="b" * 16,
        kind=kind,
        name=name,
        timestamp=int(NOW * 1e6),
        duration=ms * 1000,
        local_endpoint=Endpoint(service),
        tags={"error": ""} if error else {},
    )


def standing(objectives: Objectives, endpoint: str = "") -> Standing:
    (found,) = (one for one in objectives.standing() if one.endpoint == endpoint)
    return found


def test_spans_are_counted_for_whom_they_concern() -> None:
    objectives = Objectives(lambda: NOW)
    every, one = Objective(availability=99.0), Objective("POST /pay", availability=99.0)
    handled = Objective("process pay.settled", availability=99.0)
    objectives.set({"Pay": [every, one, handled]})
    objectives.record(
        [
            served("pay", "post /pay", error=True),
            served("pay", "get /"),
            served("pay", "get /", kind=CLIENT),
            served("pay", "process pay.settled", kind=CONSUMER),
            served("other", "post /pay"),
        ]
    )
    assert (standing(objectives).total, standing(objectives).bad) == (3, 1)
    assert standing(objectives, "POST /pay").good == 0
    assert standing(objectives, "process pay.settled").left == 1


def test_counts_outlive_changes_and_restarts() -> None:
    objectives = Objectives(lambda: NOW)
    promised = {"pay": [Objective(availability=99.0, latency=0.3)]}
    objectives.set(promised)
    objectives.record([served("pay", "get /")])
    objectives.set({**promised, "other": [Objective(availability=99.0)]})
    assert [one.total for one in objectives.standing()] == [1, 1, 0]
    again = Objectives(lambda: NOW)
    again.load(objectives.dump())
    again.set(promised)
    assert [one.total for one in again.standing()] == [1, 1]
    again.set({})
    again.set(promised)
    assert [one.total for one in again.standing()] == [1, 1]
    with pytest.raises(msgspec.DecodeError):
        again.load(b"nonsense")


def test_who_has_promised_nothing_is_held_to_something() -> None:
    objectives = Objectives(lambda: NOW, Objective(availability=99.9))
    objectives.record([served("pay", "get /"), served("pay", "get /", error=True)])
    assert (standing(objectives).app, standing(objectives).bad) == ("pay", 1)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("{}", "has availability"),
        ('{"availability": 100}', "less than 100"),
        ('{"availability": 99, "latency": 0}', "more than 0"),
        ('{"availability": 99, "within": 0}', "within is more than 0"),
        ('{"avail": 99}', "unknown field"),
    ],
)
def test_promises_that_are_none(raw: str, said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.json.decode(raw, type=Objective)
