"""How long the next call to an instance may take: a peak-sensitive moving average.

After Finagle's ``PeakEwma``: a sample above the average replaces it at once, one below pulls it
down only as time goes by. So a slow instance is noticed with its first slow answer, and
trusted again slowly.
"""

from __future__ import annotations

from math import exp

_FIRST_FAILURE = 0.05  # seconds that a failure counts as at least, so that a refusal is not fast


class PeakEwma:
    """The estimate for one instance, in seconds.

    Attributes:
        cost: the estimate when it was last updated; negative while nothing is known.

    Args:
        decay: seconds after which what was seen weighs 1/e of what is seen now.
        penalty: seconds above which failures alone do not raise the estimate.
        now: the clock's reading.
    """

    __slots__ = ("_decay", "_penalty", "_stamp", "cost")

    def __init__(self, decay: float, penalty: float, now: float) -> None:
        self._decay = -1.0 / decay
        self._penalty = penalty
        self._stamp = now
        self.cost = -1.0

    def observe(self, seconds: float, now: float) -> None:
        """A call has been answered after ``seconds``."""
        cost = self.cost
        if seconds >= cost:
            self.cost = seconds
        else:
            weight = exp((now - self._stamp) * self._decay)
            self.cost = seconds + (cost - seconds) * weight
        self._stamp = now

    def observe_failure(self, seconds: float, now: float) -> None:
        """A call failed after ``seconds``.

        Failing is often faster than answering, and must not attract calls: each failure
        doubles the estimate. One in a hundred is soon forgotten; a run of them soon reaches
        ``penalty``.
        """
        doubled = max(_FIRST_FAILURE, 2.0 * self.read(now))
        self.observe(max(seconds, min(self._penalty, doubled)), now)

    def forget(self) -> None:
        """Nothing is known any more."""
        self.cost = -1.0

    def observe_at_least(self, seconds: float, now: float) -> None:
        """A call was given up by its caller after ``seconds``: it would have taken longer."""
        if seconds > self.read(now):
            self.observe(seconds, now)

    def read(self, now: float) -> float:
        """The estimate as of now: without calls it fades, so that a bad one gets its chance.
        Zero while nothing is known."""
        cost = self.cost
        return cost * exp((now - self._stamp) * self._decay) if cost > 0.0 else 0.0
