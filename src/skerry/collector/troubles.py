"""What is wrong, what is promised, and who has been told."""

from __future__ import annotations

import time
from itertools import islice
from typing import Any, Literal

from msgspec import Struct

from skerry.app.declare import Routes
from skerry.core.errors import NotFound
from skerry.observe.alerts import Alert, Broken
from skerry.observe.blame import Kind
from skerry.observe.incidents import Affected, Incident, Incidents, Sighting, State
from skerry.observe.notify import subject
from skerry.observe.objectives import Severity, Standing
from skerry.observe.watch import AppPromises

from .collector import Collector


class IncidentRow(Struct):
    """An incident in a list.

    Attributes:
        id: its beginning is enough wherever it is asked for.
        count: failures, of which ``handled`` hurt nobody's request.
        first, last: seconds since 1970.
        services: the apps it hurts, first the one in which it was born.
        sparkline: failures in each of the last sixty minutes.
    """

    id: str
    service: str
    operation: str
    kind: Kind
    type: str
    where: str
    message: str
    state: State
    count: int
    handled: int
    first: float
    last: float
    services: list[str]
    sparkline: list[int]


class IncidentDetail(IncidentRow):
    """All that is known of an incident.

    Attributes:
        stack, local: of the last failure that had them: traceback, and variables of its frames.
        releases: of the app, in which it was seen.
        resolved: seconds since 1970; null for never.
        hurt: who else failed of it, worst first.
        seen: the last traces, newest first; ``at`` in microseconds since 1970.
    """

    stack: str
    local: str
    releases: list[str]
    resolved: float | None
    hurt: list[Affected]
    seen: list[Sighting]


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


troubles = Routes("/api/skerry", tags=["skerry"])


@troubles.get("/incidents")
def get_incidents(
    collector: Collector,
    service: str = "",
    state: State | None = None,
    problems: bool = False,
    limit: int = 100,
) -> list[IncidentRow]:
    """What is wrong, the one that was seen last first.

    Args:
        service: that was hurt by it; empty for any.
        state: only those; null for those that are not resolved.
        problems: answers that a contract declares as well, such as a currency that is unknown.
    """

    def wanted(one: Incident) -> bool:
        if service and service not in one.services:
            return False
        if one.kind == "problem" and not problems:
            return False
        return one.state == state if state is not None else one.state != "resolved"

    return collector.watch.look(
        lambda all: [_row(one) for one in islice(filter(wanted, all.all()), max(0, limit))]
    )


@troubles.get("/incidents/{id}", raises=[NotFound])
def get_incident(collector: Collector, id: str) -> IncidentDetail:
    """One of them, with its stack, whom it hurts, and traces in which it was seen."""
    return collector.watch.look(lambda all: _detail(_known(all, id)))


@troubles.post("/incidents/{id}/resolve", raises=[NotFound])
def resolve_incident(collector: Collector, id: str, how: Resolution) -> IncidentDetail:
    """Say that it is over. If it is seen again, it has regressed."""
    now = time.time_ns() // 1000

    def resolve(all: Incidents) -> IncidentDetail:
        one = _known(all, id)
        all.resolve(one, now, by_next_release=how.by_next_release)
        return _detail(one)

    return collector.watch.look(resolve)


@troubles.post("/incidents/{id}/reopen", raises=[NotFound])
def reopen_incident(collector: Collector, id: str) -> IncidentDetail:
    """Say that it is not."""

    def reopen(all: Incidents) -> IncidentDetail:
        one = _known(all, id)
        all.reopen(one)
        return _detail(one)

    return collector.watch.look(reopen)


@troubles.get("/objectives")
def get_objectives(collector: Collector) -> list[Standing]:
    """What apps have promised, and how that stands."""
    return collector.watch.standing()


@troubles.get("/alerts")
def get_alerts(collector: Collector) -> list[AlertRow]:
    """Who has been told of what: alerts that go on, then those that are over."""
    return [_alert(one) for one in collector.watch.alerts()]


@troubles.get("/owners")
def get_owners(collector: Collector) -> dict[str, AppPromises]:
    """Whose each app is, and what it has promised."""
    return collector.watching.promises.apps


def _row(one: Incident) -> IncidentRow:
    return IncidentRow(**_common(one))


def _detail(one: Incident) -> IncidentDetail:
    return IncidentDetail(
        **_common(one),
        stack=one.stack,
        local=one.local,
        releases=list(one.releases),
        resolved=one.resolved / 1e6 or None,
        hurt=one.hurt,
        seen=list(one.seen),
    )


def _known(all: Incidents, id: str) -> Incident:
    one = all.get(id)
    if one is None:
        raise NotFound(detail=f"No incident, or more than one, has an id that begins with {id!r}.")
    return one


def _common(one: Incident) -> dict[str, Any]:
    return {
        "id": one.id,
        "service": one.service,
        "operation": one.operation,
        "kind": one.kind,
        "type": one.type,
        "where": one.where,
        "message": one.message,
        "state": one.state,
        "count": one.count,
        "handled": one.handled,
        "first": one.first / 1e6,
        "last": one.last / 1e6,
        "services": one.services,
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
