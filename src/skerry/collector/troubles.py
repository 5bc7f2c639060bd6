"""What is wrong, what is promised, and who has been told."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from skerry.app.declare import Routes
from skerry.core.errors import NotFound
from skerry.observe.alerts import Alert, Broken
from skerry.observe.blame import Kind
from skerry.observe.incidents import Affected, Incident, Incidents, Sighting, State
from skerry.observe.notify import subject
from skerry.observe.objectives import Severity, Standing
from skerry.observe.watch import AppPromises

from .collector import Collector

Apps: TypeAlias = Mapping[str, AppPromises]


class IncidentRow(Struct):
    """An incident in a list.

    Attributes:
        id: its beginning is enough wherever it is asked for.
        owner, team: whose it is; empty for nobody in particular.
        operation: what was asked for most often when it was seen.
        where: file and innermost function of the app's own code, ``ledger/store.py book``, and the
            ``line`` there; empty and 0 where that is not known.
        count: failures, of which ``handled`` hurt nobody's request.
        first, last: seconds since 1970.
        services: the apps it hurts, first the one in which it was born. ``hurts`` is how often
            each of the others has failed of it.
        releases: of the service, in which it was seen.
        sparkline: failures in each of the last sixty minutes.
    """

    id: str
    service: str
    owner: str
    team: str
    operation: str
    kind: Kind
    type: str
    where: str
    line: int
    message: str
    state: State
    count: int
    handled: int
    first: float
    last: float
    services: list[str]
    hurts: dict[str, int]
    releases: list[str]
    sparkline: list[int]


class IncidentDetail(IncidentRow):
    """All that is known of an incident.

    Attributes:
        stack, local: of the last failure that had them: traceback, and variables of its frames.
        since: when it was first seen with each release, in seconds since 1970.
        resolved: when it was last, in seconds since 1970; null for never.
        settled: the releases that may have it still, of one that was resolved by the next release.
        asked: what the service itself was asked for, most often first.
        hurt: who else failed of it, worst first.
        history: failures in each quarter of an hour of the last day.
        seen: the last traces, newest first; ``at`` in microseconds since 1970.
        alert: the id of the newest alert that it belongs to; null for none.
    """

    stack: str
    local: str
    since: dict[str, float]
    resolved: float | None
    settled: list[str] | None
    asked: list[Affected]
    hurt: list[Affected]
    history: list[int]
    seen: list[Sighting]
    alert: str | None


class Resolution(Struct):
    """How an incident is resolved.

    Attributes:
        by_next_release: the releases it was seen in may have it still.
    """

    by_next_release: bool = False


class AlertRow(Struct):
    """An alert.

    Attributes:
        operation: of the app, where that is somebody's affair by itself; empty for all of it.
        since, until: seconds since 1970; ``until`` is null while it goes on.
        causes: promises that the app breaks. ``victims`` are those of others, for its sake.
        incidents: ids of what is known of it, worst first.
    """

    id: str
    app: str
    operation: str
    owner: str
    severity: Severity
    state: Literal["firing", "resolved"]
    summary: str
    since: float
    until: float | None
    causes: list[Broken]
    victims: list[Broken]
    incidents: list[str]


class Wrong(Struct):
    """What is wrong, in short.

    Attributes:
        open, regressed, resolved: how many incidents are.
        problems: how many more there are of answers that contracts declare, and are not resolved.
        alerts: those that go on.
    """

    open: int
    regressed: int
    resolved: int
    problems: int
    alerts: list[AlertRow]


troubles = Routes("/api/skerry", tags=["skerry"])


@troubles.get("/incidents")
def get_incidents(
    collector: Collector,
    service: str = "",
    state: State | None = None,
    problems: bool = False,
    limit: Annotated[int, Meta(ge=0, le=10_000)] = 100,
    text: str = "",
    ids: str = "",
) -> list[IncidentRow]:
    """What is wrong, the one that was seen last first.

    Args:
        service: that was hurt by it; empty for any.
        state: only those; null for those that are not resolved.
        problems: answers that a contract declares as well, such as a currency that is unknown.
        text: words that stand in what it is, where, whom it hurts or whose it is; all of them.
        ids: exactly these, separated by commas, whatever else is asked for.
    """
    words, named = text.lower().split(), set(filter(None, ids.split(",")))
    apps = collector.watching.promises.apps

    def wanted(one: Incident) -> bool:
        if named:
            return one.id in named
        if service and service not in one.services:
            return False
        if one.kind == "problem" and not problems:
            return False
        if one.state != state if state is not None else one.state == "resolved":
            return False
        return not words or _says(one, apps.get(one.service, AppPromises()), words)

    def rows(all: Incidents) -> list[IncidentRow]:
        return [_row(one, apps) for one in islice(filter(wanted, all.all()), limit)]

    return collector.watch.look(rows)


@troubles.get("/incidents/{id}", raises=[NotFound])
def get_incident(collector: Collector, id: str) -> IncidentDetail:
    """One of them, with its stack, whom it hurts, and traces in which it was seen."""
    return _changed(collector, id, lambda all, one: None)


@troubles.post("/incidents/{id}/resolve", raises=[NotFound])
def resolve_incident(collector: Collector, id: str, how: Resolution) -> IncidentDetail:
    """Say that it is over. If it is seen again, it has regressed."""
    now, by = time.time_ns() // 1000, how.by_next_release
    return _changed(collector, id, lambda all, one: all.resolve(one, now, by_next_release=by))


@troubles.post("/incidents/{id}/reopen", raises=[NotFound])
def reopen_incident(collector: Collector, id: str) -> IncidentDetail:
    """Say that it is not."""
    return _changed(collector, id, Incidents.reopen)


@troubles.get("/objectives")
def get_objectives(collector: Collector) -> list[Standing]:
    """What apps have promised, and how that stands."""
    return collector.watch.standing()


@troubles.get("/alerts")
def get_alerts(collector: Collector) -> list[AlertRow]:
    """Who has been told of what: alerts that go on, then those that are over."""
    return [_alert(one) for one in collector.watch.alerts()]


@troubles.get("/troubles")
def get_troubles(collector: Collector) -> Wrong:
    """What is wrong, in short: how many incidents there are, and the alerts that go on."""

    def counted(all: Incidents) -> Counter[str]:
        return Counter(
            "problem" if one.kind == "problem" and one.state != "resolved" else one.state
            for one in all.all()
            if one.kind != "problem" or one.state != "resolved"
        )

    count = collector.watch.look(counted)
    firing = [_alert(one) for one in collector.watch.alerts() if one.state == "firing"]
    return Wrong(
        count["open"], count["regressed"], count["resolved"], count["problem"], alerts=firing
    )


@troubles.get("/owners")
def get_owners(collector: Collector) -> dict[str, AppPromises]:
    """Whose each app is, and what it has promised."""
    return collector.watching.promises.apps


def _row(one: Incident, apps: Apps) -> IncidentRow:
    return IncidentRow(**_common(one, apps))


def _changed(
    collector: Collector, id: str, change: Callable[[Incidents, Incident], None]
) -> IncidentDetail:
    apps, alerts = collector.watching.promises.apps, collector.watch.alerts()

    def look(all: Incidents) -> IncidentDetail:
        one = _known(all, id)
        change(all, one)
        return _detail(one, apps, alerts)

    return collector.watch.look(look)


def _detail(one: Incident, apps: Apps, alerts: list[Alert]) -> IncidentDetail:
    return IncidentDetail(
        **_common(one, apps),
        stack=one.stack,
        local=one.local,
        since={name: at / 1e6 for name, at in one.since.items()},
        resolved=one.resolved / 1e6 or None,
        settled=one.settled,
        asked=one.asked,
        hurt=one.hurt,
        history=one.sparkline(time.time_ns() // 1000, bars=96, each=15),
        seen=list(one.seen),
        alert=next((alert.id for alert in alerts if one.id in alert.incidents), None),
    )


def _says(one: Incident, whose: AppPromises, words: list[str]) -> bool:
    known = (one.id, one.type, one.message, one.where, one.kind, whose.owner, whose.team)
    text = " ".join([*known, *one.services, *one.operations, *one.releases]).lower()
    return all(word in text for word in words)


def _known(all: Incidents, id: str) -> Incident:
    one = all.get(id)
    if one is None:
        raise NotFound(detail=f"No incident, or more than one, has an id that begins with {id!r}.")
    return one


def _common(one: Incident, apps: Apps) -> dict[str, Any]:
    whose = apps.get(one.service, AppPromises())
    return {
        "id": one.id,
        "service": one.service,
        "owner": whose.owners.get(one.operation) or whose.owner,
        "team": whose.team,
        "operation": one.operation,
        "kind": one.kind,
        "type": one.type,
        "where": one.where,
        "line": one.line,
        "message": one.message,
        "state": one.state,
        "count": one.count,
        "handled": one.handled,
        "first": one.first / 1e6,
        "last": one.last / 1e6,
        "services": one.services,
        "hurts": {name: sum(counts.values()) for name, counts in one.affected.items()},
        "releases": list(one.releases),
        "sparkline": one.sparkline(time.time_ns() // 1000),
    }


def _alert(one: Alert) -> AlertRow:
    return AlertRow(
        id=one.id,
        app=one.app,
        operation=one.operation,
        owner=one.owner,
        severity=one.severity,
        state=one.state,
        summary=subject(one),
        since=one.since,
        until=one.until or None,
        causes=one.causes,
        victims=one.victims,
        incidents=one.incidents,
    )
