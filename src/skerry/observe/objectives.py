"""What each app has promised, what is left of its budget for breaking that, and how fast it goes.

An objective of 99.9 % leaves a budget of one request in a thousand. *Burn rate* 1 uses it up in
exactly its period; what pages somebody is a rate at which it is gone soon, over a long window, so
that it is worth it, and over a short one too, so that it is still going on (Google, *The Site
Reliability Workbook*, chapter 5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from .model import CONSUMER, SERVER, Span

Measure = Literal["availability", "latency"]
Severity = Literal["page", "ticket"]

_STEPS = ((5, 120), (60, 360), (3600, 720))  # seconds of a bucket, and how many are kept
_MOST_APPS = 1_000
_Buckets: TypeAlias = list[dict[int, list[int]]]

PERIOD = 720 * 3600
"""Seconds over which a budget is meant: thirty days."""


class Objective(Struct, frozen=True, forbid_unknown_fields=True):
    """What is promised of an endpoint, or of all that an app does.

    Attributes:
        endpoint: ``POST /payments``; of a handler ``process payments.settled``; empty for all.
        availability: percent of requests that must not fail on the app's side.
        latency: seconds in which ``within`` percent of those that do not fail are answered.
    """

    endpoint: str = ""
    availability: float | None = None
    latency: float | None = None
    within: float = 99.0

    def __post_init__(self) -> None:
        if self.availability is None and self.latency is None:
            raise ValueError("an objective has availability (percent), latency (seconds), or both")
        for name in ("availability", "within"):
            percent = getattr(self, name)
            if percent is not None and not 0 < percent < 100:
                raise ValueError(f"{name} is more than 0 and less than 100 percent, not {percent}")
        if self.latency is not None and not 0 < self.latency < 3600:
            raise ValueError(f"latency is in seconds, more than 0, not {self.latency}")


class Window(Struct, frozen=True):
    """A rate of burning that somebody should hear of.

    Attributes:
        long, short: seconds; the rate is exceeded in both.
        rate: how many times faster than the budget allows.
        least: bad requests in the long window below which it may be chance.
    """

    long: int
    short: int
    rate: float
    severity: Severity
    least: int = 3


WINDOWS = (
    # Half of all that is asked fails: nobody should have to wait five minutes to hear of it.
    Window(10, 5, 144.0, "page", least=10),
    Window(3600, 300, 14.4, "page"),
    Window(6 * 3600, 1800, 6.0, "page"),
    Window(72 * 3600, 6 * 3600, 1.0, "ticket"),
)


class Indicator:
    """One thing that is measured of one objective, and its counts of late.

    Attributes:
        app, objective, measure: of what.
        target: percent that must be good.
    """

    def __init__(self, app: str, objective: Objective, measure: Measure) -> None:
        self.app = app
        self.objective = objective
        self.measure: Measure = measure
        share = objective.availability if measure == "availability" else objective.within
        assert share is not None
        self.target = share
        self._name = objective.endpoint.lower()
        self._buckets: _Buckets = [{} for _ in _STEPS]

    @property
    def key(self) -> str:
        """What it is called in files and URLs."""
        return f"{self.app} {self.objective.endpoint or '*'} {self.measure}"

    def covers(self, name: str) -> bool:
        return not self._name or self._name == name.lower()

    def record(self, at: float, failed: bool, seconds: float) -> None:
        """Count one request.

        Args:
            at: when it was over, in seconds since 1970.
        """
        if self.measure == "availability":
            bad = failed
        elif failed:
            return
        else:
            assert self.objective.latency is not None
            bad = seconds > self.objective.latency
        for buckets, (step, keep) in zip(self._buckets, _STEPS, strict=True):
            number = int(at) // step
            bucket = buckets.get(number)
            if bucket is None:
                bucket = buckets[number] = [0, 0]
                if len(buckets) > keep:
                    oldest = max(buckets) - keep
                    for old in [one for one in buckets if one <= oldest]:
                        del buckets[old]
            bucket[0] += 1
            bucket[1] += bad

    def counts(self, now: float, seconds: int) -> tuple[int, int]:
        """All requests and the bad ones of the last ``seconds``, or up to a bucket more."""
        step, buckets = self._finest(seconds)
        first = (int(now) - seconds) // step
        total = bad = 0
        for number, (all_, failed) in buckets.items():
            if first <= number:
                total += all_
                bad += failed
        return total, bad

    def burn(self, now: float, seconds: int) -> float:
        """How many times faster than allowed the budget went in the last ``seconds``."""
        total, bad = self.counts(now, seconds)
        return bad / total / (1 - self.target / 100) if total else 0.0

    def burning(self, now: float, windows: Iterable[Window] = WINDOWS) -> Window | None:
        """The first of the windows whose rate is exceeded."""
        for window in windows:
            if self.burn(now, window.short) < window.rate:  # nearly always, and cheap to see
                continue
            if self.counts(now, window.long)[1] < window.least:
                continue
            if self.burn(now, window.long) >= window.rate:
                return window
        return None

    def left(self, now: float) -> float:
        """The part of the budget that is left of the last thirty days: 1 is all, below 0 none."""
        return 1 - self.burn(now, PERIOD)

    def _finest(self, seconds: int) -> tuple[int, dict[int, list[int]]]:
        for buckets, (step, keep) in zip(self._buckets, _STEPS, strict=True):
            if seconds <= step * keep:
                return step, buckets
        return _STEPS[-1][0], self._buckets[-1]

    def dump(self) -> _Buckets:
        return self._buckets

    def load(self, buckets: _Buckets) -> None:
        self._buckets = buckets


class Standing(Struct):
    """How an objective stands.

    Attributes:
        target: percent. ``good`` is what it has been, of ``total`` in the last thirty days; None
            without any.
        left: of the budget; 1 is all of it, below 0 it is overdrawn.
        burn: rates by window, as ``{"1h": 3.2}``.
        burning: what that calls for; None while all is well.
    """

    app: str
    endpoint: str
    measure: Measure
    target: float
    latency: float | None
    total: int
    bad: int
    good: float | None
    left: float
    burn: dict[str, float]
    burning: Severity | None


class Objectives:
    """All indicators, by app. ``record`` is on the way of every span that comes in.

    Args:
        clock: seconds since 1970.
        default: what an app has promised that is seen and has promised nothing; None for nothing.
    """

    def __init__(self, clock: Callable[[], float], default: Objective | None = None) -> None:
        self._clock = clock
        self._default = default
        self._by_app: dict[str, list[Indicator]] = {}
        self._saved: dict[str, _Buckets] = {}

    def set(self, by_app: dict[str, list[Objective]]) -> None:
        """These are the objectives from now on; what has been counted of them stays."""
        self._saved |= {one.key: one.dump() for one in self.all()}
        self._by_app = {}
        for app, objectives in by_app.items():
            self._add(app, objectives)

    def _add(self, app: str, objectives: Iterable[Objective]) -> list[Indicator]:
        indicators = self._by_app.setdefault(app.lower(), [])
        for objective in objectives:
            for measure in _measures(objective):
                indicator = Indicator(app, objective, measure)
                before = self._saved.pop(indicator.key, None)
                if before is not None and len(before) == len(_STEPS):
                    indicator.load(before)
                indicators.append(indicator)
        return indicators

    def all(self) -> list[Indicator]:
        return [one for indicators in self._by_app.values() for one in indicators]

    def record(self, spans: Iterable[Span]) -> None:
        """Count what is served in ``spans``."""
        by_app = self._by_app
        for span in spans:
            if span.kind != SERVER and span.kind != CONSUMER:
                continue
            app = span.service or ""
            for indicator in by_app.get(app) or self._unknown(app):
                if indicator.covers(span.name or ""):
                    over = (span.timestamp + span.duration) / 1e6
                    indicator.record(over, "error" in span.tags, span.duration / 1e6)

    def _unknown(self, app: str) -> Iterable[Indicator]:
        known = app in self._by_app or len(self._by_app) >= _MOST_APPS
        if self._default is None or not app or known:
            return ()
        return self._add(app, [self._default])

    def standing(self) -> list[Standing]:
        now = self._clock()
        return [_standing(indicator, now) for indicator in self.all()]

    def dump(self) -> bytes:
        """What has been counted, for the next start."""
        return msgspec.msgpack.encode({one.key: one.dump() for one in self.all()})

    def load(self, raw: bytes) -> None:
        """Go on counting from there; to be called before ``set``.

        Raises:
            msgspec.DecodeError: it is something else.
        """
        self._saved = msgspec.msgpack.decode(raw, type=dict[str, _Buckets])


def _measures(objective: Objective) -> list[Measure]:
    measures: list[Measure] = []
    if objective.availability is not None:
        measures.append("availability")
    if objective.latency is not None:
        measures.append("latency")
    return measures


def _standing(indicator: Indicator, now: float) -> Standing:
    total, bad = indicator.counts(now, PERIOD)
    window = indicator.burning(now)
    return Standing(
        app=indicator.app,
        endpoint=indicator.objective.endpoint,
        measure=indicator.measure,
        target=indicator.target,
        latency=indicator.objective.latency if indicator.measure == "latency" else None,
        total=total,
        bad=bad,
        good=100 * (1 - bad / total) if total else None,
        left=indicator.left(now),
        burn={_said(w.long): round(indicator.burn(now, w.long), 2) for w in WINDOWS},
        burning=None if window is None else window.severity,
    )


def _said(seconds: int) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
