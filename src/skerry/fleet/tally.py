"""What the processes of a fleet have counted, added up.

Instances report what they have counted since they started. What those that ended had counted
is kept, so that numbers do not fall when something restarts.
"""

from __future__ import annotations

from msgspec import Struct

from skerry.core.clock import Clock, system
from skerry.telemetry.histogram import Histogram
from skerry.telemetry.metrics import Snapshot, collect, count, merge

from .insights import Insights
from .recent import Recent


class Counts(Struct):
    """What an app, or one instance of it, has answered and handled.

    Attributes:
        requests: answered, whatever the answer was.
        errors: of those, the ones that failed on its side.
        p50_ms, p99_ms: of their durations; None while there are none.
        calls: attempts it has made to call others.
        events: attempts its handlers have made at events, and its schedules' runs.
        events_failed: of those, the ones that raised.
        events_p50_ms, events_p99_ms: of their durations.
    """

    requests: int = 0
    errors: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None
    calls: int = 0
    events: int = 0
    events_failed: int = 0
    events_p50_ms: float | None = None
    events_p99_ms: float | None = None


class Tally:
    """What all processes have counted, by the name of the process.

    Attributes:
        recent: the last of it.
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

    def of(self, process: str) -> Snapshot:
        return merge([self._before.get(process, _NOTHING), self._now.get(process, _NOTHING)])

    def all(self) -> Snapshot:
        return merge([*self._before.values(), *self._now.values()])


_NOTHING: Snapshot = {"series": [], "counters": [], "gauges": []}


def counts(snapshot: Snapshot, app: str, *, from_callers: bool) -> Counts:
    """What ``app`` has answered, by its own count or, where it does not count, its callers'."""
    where = {"kind": "attempt", "peer": app} if from_callers else {"kind": "server", "app": app}
    durations: Histogram = collect(snapshot, **where)
    handled: Histogram = collect(snapshot, kind="consumer", app=app)
    return Counts(
        requests=count(snapshot, **where),
        errors=count(snapshot, "error", **where),
        p50_ms=_milliseconds(durations, 0.5),
        p99_ms=_milliseconds(durations, 0.99),
        calls=count(snapshot, kind="attempt", app=app),
        events=handled.count,
        events_failed=sum(
            count(snapshot, group, kind="consumer", app=app) for group in ("error", "client_error")
        ),
        events_p50_ms=_milliseconds(handled, 0.5),
        events_p99_ms=_milliseconds(handled, 0.99),
    )


def _milliseconds(durations: Histogram, q: float) -> float | None:
    seconds = durations.quantile(q)
    return None if seconds is None else round(seconds * 1000, 3)
