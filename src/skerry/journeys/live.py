"""A run as it goes: which steps it has taken, and which one it is in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from skerry.core.clock import Clock, system

from .model import StepResult
from .run import Watcher

Ended = Literal["ok", "failed"]


class LiveStep(Struct):
    """A step of a run that is under way.

    Attributes:
        at: when it began, in milliseconds after the run did.
        ms: how long it took, or has taken so far, in milliseconds.
        depth: how many other steps it is within.
    """

    name: str
    depth: int
    state: Literal["open"] | Ended
    at: float
    ms: float


class Underway(Struct):
    """A run that is under way."""

    started: datetime
    steps: list[LiveStep]


class Live:
    """Watches one run for whoever asks how it goes."""

    def __init__(self, clock: Clock = system) -> None:
        self._clock = clock
        self._started = clock.wall()
        self._steps: list[tuple[StepResult, float]] = []
        self._open: set[int] = set()

    def began(self, step: StepResult) -> None:
        self._steps.append((step, self._clock.now()))
        self._open.add(id(step))

    def ended(self, step: StepResult) -> None:
        self._open.discard(id(step))

    def tell(self) -> Underway:
        """As of now."""
        now = self._clock.now()
        steps = []
        for step, began in list(self._steps):
            if id(step) in self._open:
                taken = round((now - began) * 1000, 1)
                steps.append(LiveStep(step.name, step.depth, "open", step.at, taken))
            else:
                ended: Ended = "ok" if step.ok else "failed"
                steps.append(LiveStep(step.name, step.depth, ended, step.at, step.ms))
        return Underway(datetime.fromtimestamp(self._started, UTC), steps)


class Both:
    """Two watchers of one run."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def began(self, step: StepResult) -> None:
        for watcher in self._watchers:
            watcher.began(step)

    def ended(self, step: StepResult) -> None:
        for watcher in self._watchers:
            watcher.ended(step)
