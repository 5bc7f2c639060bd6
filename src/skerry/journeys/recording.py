"""What is counted of runs: how many ended how, and how long they and their steps took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from skerry.telemetry.metrics import Counter, Metrics, Series
from skerry.telemetry.outcome import ERROR

from .model import Result, StepResult
from .place import CALLER

_OK = 2  # the number of 2xx in OUTCOMES


class Count:
    """Counts the runs of one journey; a watcher of them.

    Args:
        metrics: where. Both outcomes are there from the beginning, at 0: a rate that begins with
            the first failure would miss it.
    """

    def __init__(self, metrics: Metrics, journey: str) -> None:
        self._metrics = metrics
        self._journey = journey
        self._whole = self._series()
        self._ends = {ok: self._counter(ok) for ok in (True, False)}

    def ended_with(self, result: Result) -> None:
        self._ends[result.ok].add()
        self._whole.record(result.duration, _OK if result.ok else ERROR)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        self._whole.in_flight += 1
        try:
            yield
        finally:
            self._whole.in_flight -= 1

    def began(self, step: StepResult) -> None:
        self._series(step.name).in_flight += 1

    def ended(self, step: StepResult) -> None:
        series = self._series(step.name)
        series.in_flight -= 1
        series.record(step.ms / 1000, _OK if step.ok else ERROR)

    def _series(self, step: str = "") -> Series:
        return self._metrics.series("journey", CALLER, self._journey, step)

    def _counter(self, ok: bool) -> Counter:
        return self._metrics.counter(
            "skerry_journey_runs",
            "Runs of journeys that have ended.",
            journey=self._journey,
            outcome="ok" if ok else "failed",
        )
