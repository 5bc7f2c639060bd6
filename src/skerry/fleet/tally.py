"""What the processes of a fleet have counted, added up.

Instances report what they have counted since they started. What those that ended had counted
is kept, so that numbers do not fall when something restarts.
"""

from __future__ import annotations

from skerry.core.clock import Clock, system
from skerry.telemetry.metrics import Snapshot, merge

from .insights import Insights
from .recent import Recent


class Tally:
    """What all processes have counted, by the name of the process.

    Attributes:
        recent: sums of it, and how it goes right now.
        insight: what they have told of their insides.
    """

    def __init__(self, clock: Clock = system) -> None:
        self.recent = Recent(clock)
        self.insight = Insights()
        self._now: dict[str, Snapshot] = {}
        self._before: dict[str, Snapshot] = {}

    def report(self, process: str, snapshot: Snapshot) -> None:
        self.recent.report(process, self._now.get(process, _NOTHING), snapshot)
        self._now[process] = snapshot

    def ended(self, process: str) -> None:
        """A process has ended: the next one of that name counts from zero."""
        self.insight.ended(process)
        last = self._now.pop(process, None)
        if last is not None:
            for series in last["series"]:
                series["in_flight"] = 0
            last["gauges"] = []  # what there was of anything is not there any more
            self._before[process] = merge([self._before.get(process, _NOTHING), last])

    def all(self) -> Snapshot:
        """Everything, as scrapers want it."""
        return merge([*self._before.values(), *self._now.values()])

    def under_way(self) -> dict[tuple[str, str, str], int]:
        """Calls and attempts that are being made now, by kind, app, and route; by who is called
        in place of the route for ``client`` and ``attempt``. Zeros for what has been."""
        found: dict[tuple[str, str, str], int] = {}
        for snapshot in (*self._before.values(), *self._now.values()):
            for one in snapshot["series"]:
                calls = one["kind"] in ("client", "attempt")
                key = (one["kind"], one["app"], one["peer"] if calls else one["route"])
                found[key] = found.get(key, 0) + one["in_flight"]
        return found


_NOTHING: Snapshot = {"series": [], "counters": [], "gauges": []}
