"""What a fleet looks like from outside: its instances, their states and what they count."""

from __future__ import annotations

import os
from collections.abc import Iterable

from msgspec import Struct

from skerry.spec import Fleet

from .attendants import COLLECTOR, CONSOLE
from .memory import memory
from .recent import Counts, Rate, Recent
from .replica import Replica, Seat, State
from .supervisor import Supervisor
from .tally import Tally


class InstanceStatus(Struct):
    """One instance.

    Attributes:
        kind: ``app``, ``command``, ``outside``, ``backing``, ``edge`` or ``attendant``.
        process: the name of its process and of its log; shared by a group.
        since: when its process entered this state, in seconds since 1970.
        memory_mib: of the whole process, of pages that it shares its part; None when there is
            none.
        version: of its contract; empty where it has not told one.
        detail: why it is not ready.
        counts: None where only the whole app can be counted.
        recent: the last ten seconds of that.
    """

    app: str
    id: str
    kind: str
    state: State
    url: str
    process: str
    pid: int | None
    since: float
    restarts: int
    memory_mib: float | None
    version: str
    detail: str
    last: list[str]
    counts: Counts | None
    recent: Rate | None


class AppStatus(Struct):
    """One app, over all of its instances.

    Attributes:
        url: where it runs, when that is elsewhere.
        owner: who is told when it is in trouble; team: whose it is. Empty where nobody says.
        versions: of the contracts of its instances; more than one while it is being replaced.
        recent: its answers of the last ten seconds; events: what its handlers did in them.
        trend: answers a second, or attempts of handlers where it answers nobody, of the last
            two minutes, every two seconds, the newest last; failed: of those that failed.
    """

    app: str
    kind: str
    state: State
    url: str
    ready: int
    instances: int
    needs: list[str]
    owner: str
    team: str
    versions: list[str]
    counts: Counts
    recent: Rate
    events: Rate
    trend: list[float]
    failed: list[float]


class FleetStatus(Struct):
    """Everything ``skerry ps`` shows.

    Attributes:
        front: address of the front door.
        routes: path prefix → app, where ``fleet.toml`` says so.
        console: address of the console; empty if there is none.
        collector: where spans are sent; empty for nowhere that the fleet knows of.
        settled: everything has been started once, and is ready or was waited for.
        systems: what each backing is: ``postgresql``.
    """

    fleet: str
    root: str
    pid: int
    front: str
    routes: dict[str, str]
    console: str
    collector: str
    settled: bool
    systems: dict[str, str]
    apps: list[AppStatus]
    instances: list[InstanceStatus]
    edges: list[InstanceStatus]
    attendants: list[InstanceStatus]
    backings: list[InstanceStatus]
    notes: list[str]


def instance_status(
    replica: Replica, seat: Seat, kind: str, tally: Tally | None = None
) -> InstanceStatus:
    """One row.

    Args:
        tally: None where the instance does not count for itself.
    """
    state = replica.state_of(seat)
    own, recent, version = None, None, ""
    if tally is not None:
        own = tally.recent.counts(seat.app, replica.name)
        recent = tally.recent.rate("server", seat.app, process=replica.name)
        version = tally.insight.version(replica.name, seat.app)
    return InstanceStatus(
        app=seat.app,
        id=seat.id,
        kind=kind,
        state=state,
        url=seat.url if seat.listed or kind == "attendant" else "",
        process=replica.name,
        pid=replica.pid,
        since=replica.since,
        restarts=replica.restarts,
        memory_mib=memory(replica.pid),
        version=version,
        detail=replica.detail or seat.detail,
        last=replica.last_words() if state in (State.CRASHED, State.BACKOFF) else [],
        counts=own,
        recent=recent,
    )


_BEST_FIRST = (
    State.READY,
    State.EXTERNAL,
    State.STARTING,
    State.UNHEALTHY,
    State.BACKOFF,
    State.CRASHED,
    State.STOPPING,
    State.STOPPED,
)


def app_status(
    fleet: Fleet,
    name: str,
    instances: Iterable[InstanceStatus],
    recent: Recent,
) -> AppStatus:
    """The summary of one app: it is in the best state that any instance of it is in."""
    spec = fleet.apps[name]
    rows = [row for row in instances if row.app == name]
    states = [row.state for row in rows] or [
        State.EXTERNAL if spec.kind == "outside" else State.STOPPED
    ]
    own, kind = recent.counts(name), "server"
    if not own.requests:
        own, kind = recent.counts(name, from_callers=True), "attempt"
    trend, failed = recent.trend("consumer" if own.events and not own.requests else kind, name)
    return AppStatus(
        app=name,
        kind=spec.kind,
        state=min(states, key=_BEST_FIRST.index),
        url=spec.url or "",
        ready=sum(state is State.READY for state in states),
        instances=len(rows),
        needs=list(spec.needs),
        owner=spec.owner or "",
        team=spec.team or "",
        versions=sorted({row.version for row in rows if row.version}),
        counts=own,
        recent=recent.rate(kind, name),
        events=recent.rate("consumer", name),
        trend=trend,
        failed=failed,
    )


def fleet_status(supervisor: Supervisor) -> FleetStatus:
    """Everything, as of now."""
    fleet = supervisor.fleet
    instances: list[InstanceStatus] = []
    for replicas in supervisor.replicas.values():
        for replica in replicas:
            for seat in replica.seats:
                kind = fleet.apps[seat.app].kind if seat.app in fleet.apps else "app"
                tally = supervisor.tally if kind == "app" else None
                instances.append(instance_status(replica, seat, kind, tally))
    return FleetStatus(
        fleet=fleet.name,
        root=str(fleet.root),
        pid=os.getpid(),
        front=supervisor.recipes.front_url(),
        routes=dict(fleet.front.routes) if fleet.front else {},
        console=supervisor.recipes.attendants.address(fleet, CONSOLE),
        collector=supervisor.recipes.attendants.address(fleet, COLLECTOR),
        settled=supervisor.settled,
        systems={name: backing.kind for name, backing in fleet.backings.items()},
        apps=[
            app_status(fleet, name, instances, supervisor.tally.recent)
            for name in supervisor.chosen()
        ],
        instances=instances,
        edges=[
            instance_status(replica, seat, "edge", supervisor.tally)
            for replica in supervisor.edges.values()
            for seat in replica.seats
        ],
        attendants=[
            instance_status(replica, seat, "attendant", supervisor.tally)
            for replica in supervisor.attendants.values()
            for seat in replica.seats
        ],
        backings=[
            instance_status(replica, seat, "backing")
            for replica in supervisor.supply.replicas.values()
            for seat in replica.seats
        ],
        notes=list(fleet.notes),
    )
