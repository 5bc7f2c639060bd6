"""How it goes right now: rates and latencies of the last seconds, and two minutes of rates.

Counts since the start say little of the moment: a thousand errors may be a week old. What
processes report are such counts, once a second; here their differences are kept, in slots.
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


class _Slot:
    """What one series has counted in one slot."""

    __slots__ = ("count", "durations", "failed", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.count = self.failed = 0
        self.durations = Histogram()


class _Cell:
    """One series of one process."""

    __slots__ = ("peer", "process", "route", "slots")

    def __init__(self, process: str, route: str, peer: str) -> None:
        self.process, self.route, self.peer = process, route, peer
        self.slots: deque[_Slot] = deque(maxlen=WINDOW + 1)

    def slot(self, number: int) -> _Slot:
        if not self.slots or self.slots[-1].number != number:
            self.slots.append(_Slot(number))
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

    def report(self, process: str, before: Snapshot, after: Snapshot) -> None:
        """A process has counted ``after``; the last it had said was ``before``."""
        number = self._number()
        known = {_key(one): one["outcomes"] for one in before["series"]}
        for one in after["series"]:
            old = known.get(_key(one), {})
            if one["kind"] in _FAILED and one["outcomes"] != old:
                self._add(process, one, old, number)

    def rate(self, kind: str, app: str, **where: str) -> Rate:
        """Of the last full slots.

        Args:
            kind: ``server`` or ``consumer`` of that app; ``attempt`` of those who call it.
            where: ``process``, ``route``, ``peer`` (of attempts, who calls).
        """
        last = self._number()
        durations, count, failed = Histogram(), 0, 0
        for cell in self._cells.get((kind, app), {}).values():
            if all(getattr(cell, name) == value for name, value in where.items()):
                for slot in cell.slots:
                    if last - WINDOW <= slot.number < last:
                        durations.add(slot.durations)
                        count += slot.count
                        failed += slot.failed
        if not count:
            return Rate()
        seconds = WINDOW * SLOT
        return Rate(
            round(count / seconds, 2),
            round(failed / seconds, 2),
            _milliseconds(durations, 0.5),
            _milliseconds(durations, 0.99),
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
        slot = cell.slot(number)
        count = failed = 0
        for name, document in one["outcomes"].items():
            more = sum(_added(document, old.get(name), slot.durations if _timed(name) else None))
            count += more
            failed += more if group_of(name) in _FAILED[kind] else 0
        slot.count += count
        slot.failed += failed
        rings = self._trends.get((kind, app))
        if rings is None:
            rings = self._trends[kind, app] = (_Trend(number), _Trend(number))
        rings[0].add(number, count)
        rings[1].add(number, failed)

    def _number(self) -> int:
        return int(self._now() / SLOT)


def _key(series: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return (series["kind"], series["app"], series["route"], series["peer"])


def _timed(outcome: str) -> bool:
    return outcome != "cancelled"  # that says how patient the caller was


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
