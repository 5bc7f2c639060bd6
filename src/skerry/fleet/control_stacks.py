"""The part of the control API that shows stacks as they are now: breakers, budgets, calls.

What they are made of is told by the instances once, how they are doing whenever that changes.
"""

from __future__ import annotations

from msgspec import Struct

from skerry.app import App
from skerry.core.errors import NotFound
from skerry.stack.state import ClientState, StackView

from .insights import Told
from .recent import Rate
from .supervisor import Supervisor


class InstanceClients(Struct):
    """The clients of one instance."""

    id: str
    clients: list[ClientState]


class Flow(Struct):
    """What goes through one endpoint, one handler, or to one other app.

    Attributes:
        kind: ``server``, ``consumer``, ``client`` for whole calls, ``attempt`` for single ones.
        name: of the endpoint, the handler, or the app called.
        in_flight: how many are under way.
        recent: the last ten seconds; for ``client`` None: see its attempts.
    """

    kind: str
    name: str
    in_flight: int
    recent: Rate | None


class HandlerRate(Struct):
    """How one handler of events is doing.

    Attributes:
        subscription: its queue.
        in_flight: attempts under way.
    """

    subscription: str
    in_flight: int
    recent: Rate


class AppStacks(Struct):
    """Every stack of an app, and how it is doing.

    Attributes:
        stacks: empty where the app is not written with Skerry, or has told nothing yet.
    """

    app: str
    stacks: list[StackView]
    instances: list[InstanceClients]
    flows: list[Flow]


class AppBreakers(Struct):
    """The short of it.

    Attributes:
        breakers: of all clients in all instances.
        not_closed: of those, the ones that keep calls away.
        peers: who is called.
        in_flight: requests and events that are being worked on.
    """

    app: str
    breakers: int
    not_closed: int
    peers: list[str]
    in_flight: int


def add_stacks(app: App, supervisor: Supervisor) -> None:
    """Declare it."""

    @app.post("/instances/{name}/insight", status=204, raises=[NotFound])
    async def insight(name: str, told: list[Told]) -> None:
        """What a process tells of its apps."""
        if all(replica.name != name for replica in supervisor.everything()):
            raise NotFound(detail=f"no process is named {name!r}")
        supervisor.tally.insight.tell(name, told)

    @app.get("/stacks")
    async def all_stacks() -> list[AppBreakers]:
        """Every app's breakers, counted."""
        busy: dict[str, int] = {}
        for (kind, app, _), count in supervisor.tally.under_way().items():
            if kind in ("server", "consumer"):
                busy[app] = busy.get(app, 0) + count
        return [_breakers(supervisor, name, busy.get(name, 0)) for name in supervisor.chosen()]

    @app.get("/handlers")
    async def handlers() -> list[HandlerRate]:
        """Every handler that has had something to do."""
        tally = supervisor.tally
        return [
            HandlerRate(
                subscription=f"{app}.{route.removeprefix(app + '.')}",
                in_flight=count,
                recent=tally.recent.rate("consumer", app, route=route),
            )
            for (kind, app, route), count in tally.under_way().items()
            if kind == "consumer"
        ]

    @app.get("/apps/{name}/stacks", raises=[NotFound])
    async def stacks(name: str) -> AppStacks:
        """The stacks of one app: what they are made of, and how they are doing."""
        if name not in supervisor.chosen():
            raise NotFound(detail=f"no app named {name!r} runs here")
        told = _told(supervisor, name)
        return AppStacks(
            app=name,
            stacks=next((said.stacks for _, said in told if said.stacks), []),
            instances=[InstanceClients(instance, said.clients) for instance, said in told],
            flows=_flows(supervisor, name),
        )


def _told(supervisor: Supervisor, name: str) -> list[tuple[str, Told]]:
    """What the instances of an app have told, by their names."""
    found = []
    for replicas in supervisor.replicas.values():
        for replica in replicas:
            for seat in replica.seats:
                said = supervisor.tally.insight.of(replica.name, name)
                if seat.app == name and said is not None:
                    found.append((seat.id, said))
    return found


def _breakers(supervisor: Supervisor, name: str, in_flight: int) -> AppBreakers:
    clients = [client for _, said in _told(supervisor, name) for client in said.clients]
    states = [target.breaker for client in clients for target in client.instances]
    return AppBreakers(
        app=name,
        breakers=sum(bool(state) for state in states),
        not_closed=sum(state not in ("", "closed") for state in states),
        peers=sorted({client.peer for client in clients}),
        in_flight=in_flight,
    )


def _flows(supervisor: Supervisor, name: str) -> list[Flow]:
    """What goes through an app's stacks; calls to one app together, whatever they ask for."""
    recent = supervisor.tally.recent
    found = []
    for (kind, app, called), count in supervisor.tally.under_way().items():
        if app != name:
            continue
        rate = None
        if kind == "attempt":
            rate = recent.rate("attempt", called, peer=name)
        elif kind != "client":
            rate = recent.rate(kind, name, route=called)
        found.append(Flow(kind, called, count, rate))
    return found
