"""Looks at all spans as they come: what is wrong, with what promises, and who should hear of it.

A failed trace is looked at when nothing has come of it for a moment, because who is to blame is
known only then. In a storm there are more of them than anybody needs: so many a second are looked
at, and the rest are counted as not looked at.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from .alerts import Alert, Alerts
from .incidents import MINUTE, Incidents
from .model import SERVER, Span, Trace
from .objectives import Indicator, Objective, Objectives, Severity, Standing

log = logging.getLogger("skerry.observe")

T = TypeVar("T")

_QUIET = 0.7  # seconds without more of a trace after which it is looked at
_LONGEST = 3.0  # seconds after which it is looked at in any case
_AT_ONCE = 150  # traces looked at in one round
_WAITING = 5_000  # of them; further ones are not looked at
_BLAMED = 5  # minutes for whose failures somebody is to blame for what burns now

DEFAULT = Objective(availability=99.9)
"""What an app has promised that says nothing."""


class AppPromises(Struct):
    """What is known of one app.

    Attributes:
        owners: of operations that are somebody else's affair each, and have alerts of their own.
    """

    owner: str = ""
    team: str = ""
    objectives: list[Objective] = []
    owners: dict[str, str] = {}


class Channels(Struct, frozen=True):
    """How people are told; see ``notify``."""

    webhook: str = ""
    smtp: str = ""
    sender: str = ""


class Promises(Struct):
    """What the apps of a fleet have promised, and to whom to turn."""

    apps: dict[str, AppPromises] = {}
    alerts: Channels = Channels()


class Watch:
    """One collector's. ``seen`` is called with all spans; ``round`` again and again.

    Args:
        folder: where what must outlive a restart is; None to keep nothing.
        trace: the spans of a trace by its id.
        callees: the apps that an app calls.
        tell: is given each alert of which somebody should hear, with where to.

    Attributes:
        skipped: failed traces that were not looked at, because there were too many.
    """

    def __init__(
        self,
        folder: Path | None,
        trace: Callable[[str], Trace],
        callees: Callable[[str], Iterable[str]],
        tell: Callable[[Alert, Channels], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.skipped = 0
        self._trace = trace
        self._tell = tell
        self._clock = clock
        self._budgets = None if folder is None else folder / "objectives.bin"
        self._told = None if folder is None else folder / "alerts.json"
        self._promises = Promises()
        self._objectives = Objectives(clock, DEFAULT)
        self._incidents = Incidents(None if folder is None else folder / "incidents.db")
        self._alerts = Alerts(self._owner, self._troubles, callees, self._apart)
        self._lock = threading.Lock()  # of objectives and of what waits: held for moments
        self._rounds = threading.Lock()  # of incidents and alerts
        self._waiting: dict[str, tuple[float, float]] = {}
        self._load()

    # -- what comes in -----------------------------------------------------------------------

    def seen(self, spans: Iterable[Span]) -> None:
        """Spans have come in, and are in the store."""
        now = self._clock()
        with self._lock:
            self._objectives.record(spans)
            for span in spans:
                if span.trace_id in self._waiting or _concerns(span):
                    first, _ = self._waiting.get(span.trace_id, (now, now))
                    if first == now and len(self._waiting) >= _WAITING:
                        self.skipped += 1
                        continue
                    self._waiting[span.trace_id] = first, now

    def round(self) -> None:
        """Look at what has settled, and at what is burning. Blocks for some milliseconds."""
        now = self._clock()
        with self._lock:
            due = [
                trace_id
                for trace_id, (first, last) in self._waiting.items()
                if now - last >= _QUIET or now - first >= _LONGEST
            ][:_AT_ONCE]
            for trace_id in due:
                del self._waiting[trace_id]
            burning = self._burning(now)
        with self._rounds:
            for trace_id in due:
                self._incidents.observe(self._trace(trace_id))
            since = int(now * 1e6) // MINUTE - _BLAMED
            news = self._alerts.evaluate(burning, self._incidents.blame(since), now)
        for alert in news:
            self._tell(alert, self._promises.alerts)

    def save(self) -> None:
        """Write what has changed. Blocks."""
        with self._rounds:
            self._incidents.save()
            told = self._alerts.dump()
        with self._lock:
            budgets = self._objectives.dump()
        _write(self._told, told)
        _write(self._budgets, budgets)

    # -- promises ----------------------------------------------------------------------------

    def promise(self, promises: Promises) -> None:
        """These hold from now on. An app that has promised nothing has promised ``DEFAULT``."""
        objectives = {name: app.objectives or [DEFAULT] for name, app in promises.apps.items()}
        with self._lock:
            self._promises = promises
            self._objectives.set(objectives)

    def _owner(self, app: str, operation: str) -> str:
        known = self._promises.apps.get(app)
        return "" if known is None else known.owners.get(operation) or known.owner

    def _apart(self, app: str, operation: str) -> bool:
        known = self._promises.apps.get(app)
        return known is not None and operation in known.owners

    def _troubles(self, app: str, operation: str) -> list[str]:
        named = operation.lower()
        found = [
            one
            for one in self._incidents.all()
            if one.service == app and (not named or named in map(str.lower, one.operations))
        ]
        open_ = [one for one in found if one.state != "resolved" and one.kind != "problem"]
        recent = int(self._clock() * 1e6) // MINUTE - _BLAMED
        worst = sorted(
            open_, key=lambda one: -sum(n for m, n in one.minutes.items() if m >= recent)
        )
        return [one.id for one in worst[:10]]

    def _burning(self, now: float) -> dict[str, list[tuple[Indicator, Severity]]]:
        found: dict[str, list[tuple[Indicator, Severity]]] = {}
        for indicator in self._objectives.all():
            window = indicator.burning(now)
            if window is not None:
                found.setdefault(indicator.app, []).append((indicator, window.severity))
        return found

    # -- what is asked -----------------------------------------------------------------------

    def look(self, query: Callable[[Incidents], T]) -> T:
        """What ``query`` finds among the incidents, or does to them, while they stand still."""
        with self._rounds:
            return query(self._incidents)

    def alerts(self) -> list[Alert]:
        with self._rounds:
            return self._alerts.all()

    def standing(self) -> list[Standing]:
        with self._lock:
            return self._objectives.standing()

    def _load(self) -> None:
        kept = {
            "what was left of budgets": (self._budgets, self._objectives.load),
            "who had been told of what": (self._told, self._alerts.load),
        }
        for what, (path, load) in kept.items():
            if path is None or not path.exists():
                continue
            try:
                load(path.read_bytes())
            except msgspec.DecodeError as error:
                log.warning("%s is forgotten: %s: %s", what, path, error)


def _write(path: Path | None, raw: bytes) -> None:
    if path is not None:
        fresh = path.with_suffix(".new")
        fresh.write_bytes(raw)
        fresh.replace(path)


def _concerns(span: Span) -> bool:
    """Whether a span is a failure, or an answer that its contract declares as none."""
    tags = span.tags
    if "error" in tags or (span.kind == SERVER and "error.type" in tags):
        return True
    return span.more is not None and span.more.status == "ERROR"
