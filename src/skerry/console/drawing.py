"""Draws the fleet as a graph: the calls and events that were seen between apps, beside what they
declare. It is made of what others say; nothing here asks anybody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from skerry.observe.totals import Edge as Flow
from skerry.observe.totals import Exemplar, Rates
from skerry.telemetry.histogram import Histogram

from .graph import FRONT, NOW, Edge, Figures, Fleet, Map, Node, Seen, Topic

_SLOWEST = 5
_DOWN = ("stopped", "crashed", "backoff")
_LOOPBACK = ("127.", "localhost", "::1")
_FIGURES = ("count", "errors", "rate", "p50", "p95", "p99")

F = TypeVar("F", bound=Figures)
_Between = tuple[str, str, bool]
"""Caller, callee, and whether it is events."""


def draw(fleet: Fleet, seen: Seen) -> Map:
    """The graph of ``fleet`` with the traffic that was ``seen``."""
    names = _Names(fleet)
    flows, recent = names.between(seen.flows), names.between(seen.recent)
    edges = [_observed(names, *between, some) for between, some in flows.items()]
    for one in edges:
        one.failing = sum(flow.errors for flow in recent.get(_between(one), ()))
    happened = {(one.caller, one.callee) for one in edges if not one.messaging}
    edges += [_edge(*pair, declared=True) for pair in names.needed() if pair not in happened]
    nodes = {node.id: node for node in _own(fleet)}
    _measure(nodes, flows, seen)
    outside = list(_from_outside(fleet, seen, edges, nodes))
    if outside:
        nodes[FRONT] = _front(fleet, outside)
    edges += outside
    _blame(nodes, edges, seen)
    edges.sort(key=_between)
    return Map(fleet.fleet, seen.since, seen.until, list(nodes.values()), edges)


class _Names:
    """Whom the names in spans mean, and who needs whom."""

    def __init__(self, fleet: Fleet) -> None:
        self._needs = {app.app: app.needs for app in fleet.apps}
        self._systems = fleet.systems

    def between(self, flows: Iterable[Flow]) -> dict[_Between, list[Flow]]:
        """Flows by who is at their ends."""
        found: dict[_Between, list[Flow]] = {}
        for flow in flows:
            callee = self._callee(flow.caller, flow.callee)
            found.setdefault((flow.caller, callee, flow.messaging), []).append(flow)
        return found

    def needed(self) -> Iterator[tuple[str, str]]:
        return ((app, need) for app, needs in self._needs.items() for need in needs)

    def declared(self, caller: str, callee: str) -> bool | None:
        if caller not in self._needs or not (callee in self._needs or callee in self._systems):
            return None
        return callee in self._needs[caller]

    def _callee(self, caller: str, name: str) -> str:
        """Spans name a backing by its address or by what it is: it is the one that fits."""
        if name in self._needs or name in self._systems:
            return name
        own = [need for need in self._needs.get(caller, ()) if need in self._systems]
        if not name.startswith(_LOOPBACK):
            own = [need for need in own or self._systems if self._systems[need] == name]
        return own[0] if len(own) == 1 else name


def _between(edge: Edge) -> _Between:
    return edge.caller, edge.callee, edge.messaging


def _edge(caller: str, callee: str, *, declared: bool | None) -> Edge:
    """One that was not seen."""
    return Edge(
        caller=caller,
        callee=callee,
        messaging=False,
        topics=[],
        failing=0,
        observed=False,
        declared=declared,
        health="",
        slowest=[],
    )


def _observed(names: _Names, caller: str, callee: str, messaging: bool, flows: list[Flow]) -> Edge:
    found = _edge(caller, callee, declared=None if messaging else names.declared(caller, callee))
    found.messaging, found.observed, found.slowest = messaging, True, _slowest(flows)
    if messaging:
        topics = [_counted(Topic(topic=flow.topic), [flow]) for flow in flows]
        found.topics = sorted(topics, key=lambda one: (-one.count, one.topic))
    return _counted(found, flows)


def _own(fleet: Fleet) -> Iterator[Node]:
    """Those that belong to the fleet."""
    for app in fleet.apps:
        yield Node(
            id=app.app,
            kind=app.kind,
            state=app.state,
            ready=app.ready,
            instances=app.instances,
            owner=app.owner,
            team=app.team,
        )
    states = {row.app: row.state for row in fleet.backings}
    for name, system in fleet.systems.items():
        state = states.get(name, "external" if states or fleet.front else "")
        yield Node(id=name, kind="backing", system=system, state=state)


def _measure(nodes: dict[str, Node], flows: dict[_Between, list[Flow]], seen: Seen) -> None:
    """Say what each node handled, by its own word; of those who tell nothing, by their callers'.
    Who is not of the fleet is added."""
    handled: dict[str, list[Rates]] = {}
    for operation in seen.operations:
        handled.setdefault(operation.service, []).append(operation)
    asked: dict[str, list[Rates]] = {}
    for (caller, callee, _), some in flows.items():
        asked.setdefault(caller, [])
        asked.setdefault(callee, []).extend(some)
    for name in sorted(asked.keys() | handled.keys()):
        node = nodes.setdefault(name, Node(id=name, kind="foreign"))
        rows = handled.get(name) or asked[name]
        _counted(node, rows).slowest = _slowest(rows)


def _from_outside(
    fleet: Fleet, seen: Seen, edges: Iterable[Edge], nodes: Iterable[str]
) -> Iterator[Edge]:
    """Requests that no app has made: those that were served less those whose caller is known."""
    known: dict[str, list[Edge]] = {}
    for one in edges:
        if one.observed and not one.messaging:
            known.setdefault(one.callee, []).append(one)
    served: dict[str, list[Rates]] = {}
    for operation in seen.operations:
        if operation.kind == "SERVER":
            served.setdefault(operation.service, []).append(operation)
    routed = set(fleet.routes.values())
    for name in nodes:
        declared = True if name in routed else None
        edge = _counted(_edge(FRONT, name, declared=declared), served.get(name, []))
        edge.slowest = _slowest(served.get(name, []))
        told = known.get(name, [])
        inside = sum(one.count for one in told)
        if inside:  # whose durations are whose, nobody knows
            edge.count -= inside
            edge.rate -= sum(one.rate for one in told)
            edge.errors = max(0, min(edge.count, edge.errors - sum(one.errors for one in told)))
            edge.p50, edge.p95, edge.p99, edge.slowest = None, None, None, []
        # A call and its serving may be a moment apart, and fall into two minutes.
        edge.observed = edge.count > (max(2, inside // 50) if inside else 0)
        if edge.observed:
            yield edge
        elif declared:
            yield _edge(FRONT, name, declared=True)


def _front(fleet: Fleet, edges: Iterable[Edge]) -> Node:
    node = Node(id=FRONT, kind="front", address=fleet.front)
    for one in edges:
        node.count += one.count
        node.errors += one.errors
        node.rate += one.rate
    return node


def _blame(nodes: dict[str, Node], edges: Iterable[Edge], seen: Seen) -> None:
    """Say where failures are born, and who but feels them."""
    hurt: set[str] = set()
    for trouble in seen.troubles:
        node = nodes.get(trouble.service)
        if node is None or trouble.last < seen.since:
            continue
        node.troubles = [*node.troubles, trouble]
        if trouble.last >= seen.until - NOW:
            node.health = "cause"
            hurt.update(trouble.services[1:])
        elif not node.health:
            node.health = "past"
    edges = list(edges)
    failing = {one.service for one in seen.lately if one.errors}
    failing.update(name for one in edges if one.failing for name in (one.caller, one.callee))
    for name in hurt & failing & nodes.keys():
        if nodes[name].health != "cause":
            nodes[name].health = "victim"
    for one in edges:
        callee = nodes[one.callee]
        # Of calls from outside only the whole window is known.
        fails = one.failing or (one.caller == FRONT and one.errors) or _in_vain(nodes, one)
        if fails and callee.health != "past":
            one.health = callee.health
    for alert in seen.alerts:
        if alert.state == "firing" and alert.app in nodes:
            nodes[alert.app].alert = alert.severity


def _in_vain(nodes: dict[str, Node], edge: Edge) -> bool:
    """Whether calls find nobody who could be called: those leave no trace on the network."""
    down = nodes[edge.callee].state in _DOWN
    return down and not edge.messaging and nodes[edge.caller].health == "victim"


def _slowest(rows: Iterable[Rates]) -> list[Exemplar]:
    found = {one.trace_id: one for row in rows for one in row.slowest}
    return sorted(found.values(), key=lambda one: -one.duration)[:_SLOWEST]


def _counted(into: F, rows: Sequence[Rates]) -> F:
    """Put several counts together into figures, quantiles of all their durations."""
    if len(rows) == 1:
        for name in _FIGURES:
            setattr(into, name, getattr(rows[0], name))
        return into
    whole = Histogram()
    for row in rows:
        whole.add(Histogram.of(row.histogram))
    into.count, into.errors = sum(row.count for row in rows), sum(row.errors for row in rows)
    into.rate = sum(row.rate for row in rows)
    into.p50, into.p95, into.p99 = (whole.quantile(q) for q in (0.5, 0.95, 0.99))
    return into
