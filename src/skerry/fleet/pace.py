"""How fast a fleet reacts: every duration of the supervisor in one place, for tests to shrink."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Durations in seconds.

    Attributes:
        start_within: how long a wave waits for readiness before the next one starts anyway.
        probe_first, probe_slowest: pauses between probes of what is not ready yet, doubling.
        probe_every: pause between probes of what is ready.
        probe_timeout: for one answer.
        unhealthy_after: failed probes in a row until an instance is not called any more.
        replace_after: unanswered probes in a row until a process that only hangs is killed. An
            answer, even a bad one, does not count: a restart would not bring its database back.
        backoff_first, backoff_longest: pauses before a restart, doubling from death to death.
        steady_after: time in service after which a death counts as the first again.
        crashes: deaths in a row, none of them after a steady time, that make a crash loop.
        retry_crashed: pause between attempts in a crash loop.
        drain: for requests in flight when an instance is told to stop.
        stop_within: after that it is killed; longer than ``drain``.
        notice: between taking an instance out of the registry for good and telling it to stop.
        watch_every: pause between looks at the files.
    """

    start_within: float = 30.0
    probe_first: float = 0.02
    probe_slowest: float = 1.0
    probe_every: float = 5.0
    probe_timeout: float = 5.0
    unhealthy_after: int = 2
    replace_after: int = 6
    backoff_first: float = 0.1
    backoff_longest: float = 30.0
    steady_after: float = 10.0
    crashes: int = 6
    retry_crashed: float = 60.0
    drain: float = 10.0
    stop_within: float = 12.0
    notice: float = 0.1
    watch_every: float = 0.5


@dataclass(slots=True)
class Deaths:
    """Counts deaths in a row, and says how long to wait after one.

    Attributes:
        row: deaths since the last steady time in service.
    """

    pace: Pace
    row: int = 0

    def died(self, served: float) -> float:
        """Note a death after ``served`` seconds in service; seconds to wait before a restart."""
        self.row = 1 if served >= self.pace.steady_after else self.row + 1
        if self.looping:
            return self.pace.retry_crashed
        return min(self.pace.backoff_first * 2.0 ** (self.row - 1), self.pace.backoff_longest)

    @property
    def looping(self) -> bool:
        return self.row >= self.pace.crashes

    def forget(self) -> None:
        self.row = 0
