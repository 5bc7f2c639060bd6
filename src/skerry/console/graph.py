"""What the map is made of, and the document that it is.

The document is one and the same for the console's page and for ``skerry map --json``;
``drawing`` makes it.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from skerry.observe.totals import Edge as Flow
from skerry.observe.totals import Exemplar, Operation

FRONT = "@outside"
"""Who calls without telling who they are: browsers, scripts, the front door for them."""

NOW = 60.0
"""Seconds after its last failure for which a trouble counts as going on."""

_MINUTE = 60.0

Kind: TypeAlias = Literal["app", "command", "outside", "backing", "foreign", "front"]
Health: TypeAlias = Literal["", "cause", "victim", "past"]


# -- what is known -------------------------------------------------------------------------------


class App(Struct):
    """What is taken from ``skerry.fleet.status.AppStatus``."""

    app: str
    kind: Literal["app", "command", "outside"] = "app"
    state: str = ""
    ready: int = 0
    instances: int = 0
    needs: list[str] = []
    owner: str = ""
    team: str = ""


class Backing(Struct):
    """What is taken from a backing's ``skerry.fleet.status.InstanceStatus``."""

    app: str
    state: str = ""


class Fleet(Struct):
    """What is taken from ``skerry.fleet.status.FleetStatus``; empty where nobody told."""

    fleet: str = ""
    front: str = ""
    routes: dict[str, str] = {}
    systems: dict[str, str] = {}
    apps: list[App] = []
    backings: list[Backing] = []


class Trouble(Struct):
    """What is taken from an incident. ``services``: whom it hurts, first where it was born."""

    id: str
    service: str
    operation: str
    type: str
    where: str
    message: str
    count: int
    last: float
    services: list[str]


class Alert(Struct):
    """What is taken from an alert."""

    app: str
    state: str
    severity: str


class Seen(Struct):
    """What the collector has counted from ``since`` until ``until``, in seconds since 1970.

    Attributes:
        recent, lately: flows and operations of the last minute.
    """

    since: float
    until: float
    flows: list[Flow] = []
    recent: list[Flow] = []
    operations: list[Operation] = []
    lately: list[Operation] = []
    troubles: list[Trouble] = []
    alerts: list[Alert] = []


# -- what is made of it --------------------------------------------------------------------------


class Figures(Struct, kw_only=True):
    """How often, how well, how fast. ``rate`` is by second; durations are in seconds, None where
    nobody said."""

    count: int = 0
    errors: int = 0
    rate: float = 0.0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class Node(Figures, kw_only=True):
    """Who calls or is called, with the requests and events that it handled.

    Attributes:
        id: the app's name, or the backing's; ``FRONT`` for callers from outside.
        kind: ``app``, ``command`` and ``outside`` as in ``fleet.toml``; ``foreign`` is who is not
            of the fleet.
        state: as ``skerry ps`` has it; empty where nobody knows.
        system: what a backing is: ``postgresql``.
        health: ``cause`` where failures are born now, ``victim`` where others' are felt,
            ``past`` where some were born since the beginning of the window, but not lately.
        troubles: those that were born here.
        alert: ``page`` or ``ticket`` while one goes on about it.
        slowest: traces of the slowest that it handled.
    """

    id: str
    kind: Kind
    state: str = ""
    ready: int = 0
    instances: int = 0
    owner: str = ""
    team: str = ""
    system: str = ""
    address: str = ""
    health: Health = ""
    troubles: list[Trouble] = []
    alert: str = ""
    slowest: list[Exemplar] = []


class Topic(Figures, kw_only=True):
    """The events of one topic."""

    topic: str


class Edge(Figures, kw_only=True):
    """Calls, or events, from one to another.

    Attributes:
        topics: of events, the busiest first.
        failing: errors of the last minute.
        observed: there was one in the window; otherwise it is only declared.
        declared: whether the caller needs the callee; None where nobody can declare that: events,
            callers from outside, services that are not of the fleet.
        health: that of the callee, where calls of it fail now.
    """

    caller: str
    callee: str
    messaging: bool
    topics: list[Topic]
    failing: int
    observed: bool
    declared: bool | None
    health: Health
    slowest: list[Exemplar]


class Map(Struct):
    """The whole graph. ``since`` and ``until`` are in seconds since 1970."""

    fleet: str
    since: float
    until: float
    nodes: list[Node]
    edges: list[Edge]


def questions(until: float, seconds: float) -> dict[str, str]:
    """What the collector is asked for a map of so many ``seconds``, by ``Seen``'s attribute.

    Totals are by the minute: the window begins with one, so that its rates are true.
    """
    since, latest = beginning(until, seconds), beginning(until, NOW)
    return {
        "flows": f"/api/skerry/edges?since={since}&until={until}",
        "recent": f"/api/skerry/edges?since={latest}&until={until}",
        "operations": f"/api/skerry/operations?since={since}&until={until}",
        "lately": f"/api/skerry/operations?since={latest}&until={until}",
        "troubles": "/api/skerry/incidents",
        "alerts": "/api/skerry/alerts",
    }


def beginning(until: float, seconds: float) -> float:
    """When the window of a map begins that goes back ``seconds``."""
    return (until - seconds) // _MINUTE * _MINUTE
