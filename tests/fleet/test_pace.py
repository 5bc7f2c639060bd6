from __future__ import annotations

from skerry.fleet.pace import Deaths, Pace

PACE = Pace(backoff_first=0.1, backoff_longest=1.0, steady_after=10, crashes=7, retry_crashed=60)


def test_pauses_double_up_to_a_limit_and_then_it_is_a_loop() -> None:
    deaths = Deaths(PACE)
    pauses = [deaths.died(served=1.0) for _ in range(8)]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 60, 60]
    assert deaths.looping


def test_a_steady_time_begins_a_new_row() -> None:
    deaths = Deaths(PACE)
    for _ in range(8):
        deaths.died(served=0.0)
    assert deaths.died(served=10.0) == 0.1
    assert not deaths.looping
    deaths.died(served=0.0)
    deaths.forget()
    assert deaths.died(served=0.0) == 0.1
