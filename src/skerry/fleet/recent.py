"""How it goes: counts since the start, rates and latencies of the last seconds, their trend.

What processes report are counts since they started, once a second. Here the differences are
added up: over all processes that an app ever had, so that numbers do not fall when something
restarts; and by slots of time, for a thousand errors may be a week old. So whoever asks, the
console once a second, pays for a sum over a few series, not for all that was ever counted.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from skerry.core.clock import Clock, system
from skerry.telemetry.histogram import Histogram
from skerry.telemetry.metrics import Snapshot
from skerry.telemetry.outcome import group_of

SLOT = 2.0
"""Seconds in a slot."""

WINDOW = 5
"""Slots that a rate is taken over: the last full ones."""

TREND = 60
"""Slots that rates are remembered for."""

_FAILED = {"server": ("error",), "attempt": ("error",), "consumer": ("error", "client_error")}


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


class Rate(Struct):
    """The last ten seconds.

    Attributes:
        per_second: answers, or attempts of handlers.
        failed_per_second: of those, the ones that failed.
        p50_ms, p99_ms: of their durations; None where there were none.
    """

    per_second: float = 0.0
    failed_per_second: float = 0.0
    p50_ms: float | None = None
    p99_ms: float | None = None


class _Sum:
    """What was counted together; ``timed`` of it has a duration that says something."""

    __slots__ = ("count", "durations", "failed", "number", "timed")

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.count = self.failed = self.timed = 0
        self.durations = Histogram()

    def add(self, other: _Sum) -> None:
        self.count += other.count
        self.failed += other.failed
        self.timed += other.timed
        self.durations.add(other.durations)


class _Cell:
    """One series of one process, in all its lives: the whole, and the last slots."""

    __slots__ = ("peer", "process", "route", "slots", "whole")

    def __init__(self, process: str, route: str, peer: str) -> None:
        self.process, self.route, self.peer = process, route, peer
        self.whole = _Sum()
        self.slots: deque[_Sum] = deque(maxlen=WINDOW + 1)

    def slot(self, number: int) -> _Sum:
        if not self.slots or self.slots[-1].number != number:
            self.slots.append(_Sum(number))
        return self.slots[-1]


class _Trend:
    """Counts by slot, the newest last; a ring without timers."""

    __slots__ = ("counts", "last")

    def __init__(self, number: int) -> None:
        self.counts = array("l", bytes(array("l").itemsize * TREND))
        self.last = number

    def turn(self, number: int) -> array[int]:
        """The ring as of now."""
        for slot in range(max(self.last + 1, number - TREND + 1), number + 1):
            self.counts[slot % TREND] = 0
        self.last = max(self.last, number)
        return self.counts

    def add(self, number: int, count: int) -> None:
        self.turn(number)[number % TREND] += count


class Recent:
    """What all processes have counted lately."""

    def __init__(self, clock: Clock = system) -> None:
        self._now = clock.now
        self._cells: dict[tuple[str, str], dict[tuple[str, str, str], _Cell]] = {}
        self._trends: dict[tuple[str, str], tuple[_Trend, _Trend]] = {}
        self._calls: dict[tuple[str, str], int] = {}

    def report(self, process: str, before: Snapshot, after: Snapshot) -> None:
        """A process has counted ``after``; the last it had said was ``before``."""
        number = self._number()
        known = {_key(one): one["outcomes"] for one in before["series"]}
        for one in after["series"]:
            old = known.get(_key(one), {})
            if one["kind"] in _FAILED and one["outcomes"] != old:
                self._add(process, one, old, number)

    def counts(self, app: str, process: str = "", *, from_callers: bool = False) -> Counts:
        """What ``app`` has done since the start, all of it or one process's share.

        Args:
            from_callers: answers by the count of those who call it, where it does not count.
        """
        served = self._whole("attempt" if from_callers else "server", app, process)
        handled = self._whole("consumer", app, process)
        calls = self._calls.items()
        return Counts(
            requests=served.count,
            errors=served.failed,
            p50_ms=_milliseconds(served.durations, 0.5),
            p99_ms=_milliseconds(served.durations, 0.99),
            calls=sum(n for (who, by), n in calls if by == app and process in ("", who)),
            events=handled.timed,
            events_failed=handled.failed,
            events_p50_ms=_milliseconds(handled.durations, 0.5),
            events_p99_ms=_milliseconds(handled.durations, 0.99),
        )

    def _whole(self, kind: str, app: str, process: str) -> _Sum:
        found = _Sum()
        for cell in self._cells.get((kind, app), {}).values():
            if not process or cell.process == process:
                found.add(cell.whole)
        return found

    def rate(self, kind: str, app: str, **where: str) -> Rate:
        """Of the last full slots.

        Args:
            kind: ``server`` or ``consumer`` of that app; ``attempt`` of those who call it.
            where: ``process``, ``route``, ``peer`` (of attempts, who calls).
        """
        last, found = self._number(), _Sum()
        for cell in self._cells.get((kind, app), {}).values():
            if all(getattr(cell, name) == value for name, value in where.items()):
                for slot in cell.slots:
                    if last - WINDOW <= slot.number < last:
                        found.add(slot)
        if not found.count:
            return Rate()
        seconds = WINDOW * SLOT
        return Rate(
            round(found.count / seconds, 2),
            round(found.failed / seconds, 2),
            _milliseconds(found.durations, 0.5),
            _milliseconds(found.durations, 0.99),
        )

    def routes(self, kind: str, app: str) -> list[str]:
        """The routes of which something was counted lately."""
        found = self._cells.get((kind, app), {}).values()
        return sorted({cell.route for cell in found})

    def trend(self, kind: str, app: str) -> tuple[list[float], list[float]]:
        """Rates of the last two minutes, one for each full slot, the newest last: of all, and
        of those that failed. Empty where nothing was ever counted."""
        rings = self._trends.get((kind, app))
        if rings is None:
            return [], []
        last = self._number()
        slots = range(last - TREND + 1, last)
        all_of, failed = ([ring.turn(last)[n % TREND] / SLOT for n in slots] for ring in rings)
        return all_of, failed

    def _add(
        self, process: str, one: Mapping[str, Any], old: Mapping[str, Any], number: int
    ) -> None:
        kind, app, peer = one["kind"], one["app"], one["peer"]
        if kind == "attempt":  # who is called is what it is looked up by
            app, peer = peer, app
        cells = self._cells.setdefault((kind, app), {})
        key = (process, one["route"], peer)
        cell = cells.get(key)
        if cell is None:
            cell = cells[key] = _Cell(*key)
        new = _Sum()
        for name, document in one["outcomes"].items():
            timed = name != "cancelled"  # that says how patient the caller was
            more = sum(_added(document, old.get(name), new.durations if timed else None))
            new.count += more
            new.timed += more if timed else 0
            new.failed += more if group_of(name) in _FAILED[kind] else 0
        cell.whole.add(new)
        cell.slot(number).add(new)
        if kind == "attempt":
            calls = (process, peer)
            self._calls[calls] = self._calls.get(calls, 0) + new.count
        rings = self._trends.get((kind, app))
        if rings is None:
            rings = self._trends[kind, app] = (_Trend(number), _Trend(number))
        rings[0].add(number, new.count)
        rings[1].add(number, new.failed)

    def _number(self) -> int:
        return int(self._now() / SLOT)


def _key(series: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return (series["kind"], series["app"], series["route"], series["peer"])


def _added(
    document: Mapping[str, Any], old: Mapping[str, Any] | None, into: Histogram | None
) -> Iterator[int]:
    """How many samples each bucket has more than before; they are put into ``into`` as well."""
    before = old["counts"] if old else {}
    for bucket, count in document["counts"].items():
        more = count - before.get(bucket, 0)
        if more > 0:
            yield more
            if into is not None:
                number = int(bucket)
                into.counts[number] = into.counts.get(number, 0) + more


def _milliseconds(durations: Histogram, q: float) -> float | None:
    seconds = durations.quantile(q)
    return None if seconds is None else round(seconds * 1000, 3)
