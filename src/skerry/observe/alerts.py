"""Who is to be told that something is wrong: the owner of what is broken, and nobody else.

When a ledger fails, payments and the portal break their promises too. Each is looked at: for whose
sake did its requests fail? What is found to fail for another's sake is listed under that one's
alert, as its victim. So there is one alert for each thing that is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from .blame import Victim
from .objectives import Indicator, Measure, Severity

QUIET = 30.0
"""Seconds without a promise being broken after which an alert is over."""


PATIENCE = 4.0
"""Seconds until a promise that is broken for nobody's known sake is broken for its own; and until
it is broken for the sake of another besides the one that is most to blame."""

SHARE, MANY = 0.25, 10
"""Of the failures of a promise, and how many of them, for which another is to blame as well."""


class Broken(Struct, frozen=True, order=True):
    """A promise that is being broken."""

    app: str
    endpoint: str
    measure: Measure


class Alert(Struct):
    """One thing that is broken.

    Attributes:
        app: which. ``owner`` is who is told; empty for nobody in particular.
        operation: of the app, where that is somebody's affair by itself; empty for all of it.
        since, until: seconds since 1970; ``until`` is 0 while it goes on.
        causes: its own promises that it breaks; none if it has made none, or answers nobody.
        victims: promises of others that are broken for its sake. Of an alert that is over, both
            are all that were broken while it went on.
        incidents: ids of what is known of it, worst first.
    """

    id: str
    app: str
    owner: str
    severity: Severity
    since: float
    until: float = 0.0
    causes: list[Broken] = []
    victims: list[Broken] = []
    incidents: list[str] = []
    operation: str = ""

    @property
    def name(self) -> str:
        """What is broken, for people."""
        return f"{self.app} {self.operation}".rstrip()

    @property
    def state(self) -> Literal["firing", "resolved"]:
        return "resolved" if self.until else "firing"


Blame = Mapping[Victim, Mapping[str, int]]
Callees = Callable[[str], Iterable[str]]
_Part = tuple[str, str]  # an app, and an operation of it or nothing for all of it
_Found = dict[_Part, tuple[Severity, set[Broken], set[Broken]]]  # with causes and victims

_KEPT = 200  # alerts that are over


class Alerts:
    """The alerts there are, and were.

    Args:
        owner: of an app, or an operation of it.
        incidents: ids of the open incidents of an app, or an operation of it, worst first.
        callees: the apps that an app calls.
        apart: whether an operation of an app is somebody's affair by itself.
    """

    def __init__(
        self,
        owner: Callable[[str, str], str],
        incidents: Callable[[str, str], list[str]],
        callees: Callees,
        apart: Callable[[str, str], bool] = lambda app, operation: False,
    ) -> None:
        self._owner = owner
        self._incidents = incidents
        self._callees = callees
        self._apart = apart
        self._firing: dict[_Part, Alert] = {}
        self._quiet: dict[_Part, float] = {}
        self._ever: dict[_Part, tuple[set[Broken], set[Broken]]] = {}
        self._over: list[Alert] = []
        self._unexplained: dict[Broken, float] = {}
        self._culprits: dict[Broken, str] = {}
        self._others: dict[tuple[Broken, str], float] = {}

    def all(self) -> list[Alert]:
        """Those that go on, and then those that are over, newest first."""
        firing = sorted(self._firing.values(), key=lambda alert: -alert.since)
        return [*firing, *reversed(self._over)]

    def dump(self) -> bytes:
        """All of them, for ``load`` after a restart."""
        return msgspec.json.encode(self.all())

    def load(self, raw: bytes) -> None:
        """Go on where another has stopped: nobody is told again of what goes on.

        Raises:
            msgspec.DecodeError: those are none.
        """
        alerts = msgspec.json.decode(raw, type=list[Alert])
        self._firing = {(one.app, one.operation): one for one in alerts if not one.until}
        self._over = [one for one in reversed(alerts) if one.until]
        self._ever = {
            part: (set(alert.causes), set(alert.victims)) for part, alert in self._firing.items()
        }
        # Budgets burn on, and the failures that tell for whose sake have been forgotten.
        self._culprits = {
            broken: alert.app
            for alert in self._firing.values()
            for broken in (*alert.causes, *alert.victims)
        }

    def evaluate(
        self, burning: Mapping[str, list[tuple[Indicator, Severity]]], blame: Blame, now: float
    ) -> list[Alert]:
        """Look again.

        Args:
            burning: the indicators whose budget goes too fast, by app.
            blame: for whose sake operations fail of late, as ``Incidents.blame`` has it.

        Returns:
            the alerts of which somebody should hear now: that have begun, got worse, or ended.
        """
        wanted = self._by_culprit(burning, blame, now)
        news = []
        for part, (severity, causes, victims) in wanted.items():
            alert = self._firing.get(part)
            if alert is None:
                alert = self._firing[part] = self._new(part, severity, now)
                news.append(alert)
            elif severity == "page" and alert.severity == "ticket":
                alert.severity = severity
                news.append(alert)
            alert.causes, alert.victims = sorted(causes), sorted(victims)
            own, others = self._ever.setdefault(part, (set(), set()))
            own |= causes
            others |= victims
            alert.incidents = self._incidents(*part)
            self._quiet.pop(part, None)
        for part in self._firing.keys() - wanted.keys():
            if now - self._quiet.setdefault(part, now) >= QUIET:
                alert = self._firing.pop(part)
                alert.until = self._quiet.pop(part)
                alert.causes, alert.victims = map(sorted, self._ever.pop(part))
                self._over = [*self._over, alert][-_KEPT:]
                news.append(alert)
        return news

    def _new(self, part: _Part, severity: Severity, now: float) -> Alert:
        app, operation = part
        id = f"{app}.{operation}-{int(now)}" if operation else f"{app}-{int(now)}"
        return Alert(id, app, self._owner(*part), severity, now, operation=operation)

    def _by_culprit(
        self, burning: Mapping[str, list[tuple[Indicator, Severity]]], blame: Blame, now: float
    ) -> _Found:
        found: _Found = {}
        slow = {
            app for app, all_ in burning.items() if any(i.measure == "latency" for i, _ in all_)
        }
        unexplained, self._unexplained = self._unexplained, {}
        culprits, self._culprits = self._culprits, {}
        others, self._others = self._others, {}
        for app, indicators in burning.items():
            for indicator, severity in indicators:
                broken = Broken(app, indicator.objective.endpoint, indicator.measure)
                counts: dict[str, int] = {}
                if indicator.measure == "availability":
                    counts = _blamed(indicator, blame)
                    # Where nothing has failed of late it burns for what was before.
                    culprit = max(counts, key=_most(counts), default=culprits.get(broken, ""))
                else:
                    culprit = self._slowest(app, slow)
                if not culprit:  # traces have not settled: whoever is told now may be a victim
                    first = self._unexplained[broken] = unexplained.get(broken, now)
                    if now - first < PATIENCE:
                        continue
                    culprit = app
                self._culprits[broken] = culprit
                for one in (culprit, *self._besides(broken, counts, culprit, others, now)):
                    self._blame(found, one, broken, severity)
        return found

    def _besides(
        self,
        broken: Broken,
        counts: Mapping[str, int],
        culprit: str,
        before: Mapping[tuple[Broken, str], float],
        now: float,
    ) -> Iterable[str]:
        """Who else is to blame: two apps may break at once, and each has an owner."""
        least = max(MANY, SHARE * sum(counts.values()))
        for other, count in counts.items():
            if other != culprit and count >= least:
                first = self._others[broken, other] = before.get((broken, other), now)
                if now - first >= PATIENCE:  # what is blamed too soon is corrected by then
                    yield other

    def _blame(self, found: _Found, culprit: str, broken: Broken, severity: Severity) -> None:
        own = culprit == broken.app
        apart = own and self._apart(broken.app, broken.endpoint)
        part = (culprit, broken.endpoint if apart else "")
        worst, causes, victims = found.get(part, (severity, set(), set()))
        (causes if own else victims).add(broken)
        found[part] = ("page" if "page" in (worst, severity) else worst, causes, victims)

    def _slowest(self, app: str, slow: set[str]) -> str:
        """Down the calls of an app, as far as it is slow: whoever is slow of itself."""
        seen = {app}
        while True:
            below = [callee for callee in self._callees(app) if callee in slow - seen]
            if not below:
                return app
            app = min(below)
            seen.add(app)


def _blamed(indicator: Indicator, blame: Blame) -> dict[str, int]:
    """For whose sake an indicator's requests fail, and how many; nobody while that is not known."""
    counts: dict[str, int] = {}
    for victim, culprits in blame.items():
        if victim.service == indicator.app.lower() and indicator.covers(victim.operation):
            for culprit, count in culprits.items():
                counts[culprit] = counts.get(culprit, 0) + count
    return counts


def _most(counts: Mapping[str, int]) -> Callable[[str], tuple[int, str]]:
    return lambda culprit: (counts[culprit], culprit)
