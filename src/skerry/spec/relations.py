"""What has to be right between the parts of a fleet: who needs whom, who shares what."""

from __future__ import annotations

from typing import Any

from .faults import Faults, nearest
from .locate import KeyPath
from .model import AppSpec, Fleet
from .templates import PARTS, mentions


def check_relations(fleet: Fleet, together: Any, faults: Faults) -> tuple[tuple[str, ...], ...]:
    """Check the whole; what is wrong goes to ``faults``.

    Args:
        together: "all", or groups of names.

    Returns:
        the groups.
    """
    for name in fleet.backings:
        if name in fleet.apps:
            faults.add(("backings", name), f'there is an app called "{name}" as well')
    for app in fleet.apps.values():
        _check_needs(fleet, app, faults)
        _check_templates(fleet, app, faults)
    _check_bus(fleet, faults)
    if fleet.journeys.probe and "journeys" in fleet.apps:
        faults.add(("apps", "journeys"), "is what the probe is called; give it another name")
    _check_ports(fleet, faults)
    _check_routes(fleet, faults)
    if together == "all":
        groups = _all_of(fleet)
    else:
        groups = together
        _check_groups(fleet, groups, faults)
    return tuple(group for group in groups if group)


def _check_needs(fleet: Fleet, app: AppSpec, faults: Faults) -> None:
    known = [*fleet.apps, *fleet.backings]
    for index, need in enumerate(app.needs):
        where = ("apps", app.name, "needs", index)
        if need == app.name:
            faults.add(where, "an app does not need itself")
        elif need not in known:
            others = [name for name in known if name != app.name]
            faults.add(where, f'no app or backing is called "{need}"{nearest(need, others)}')


def _check_templates(fleet: Fleet, app: AppSpec, faults: Faults) -> None:
    known = {*fleet.apps, *fleet.backings}
    for variable, value in app.env.items():
        where = ("apps", app.name, "env", variable)
        for name, part in mentions(value, known):
            if name not in known:
                detail = f'no app or backing is called "{name}"{nearest(name, known)}'
                faults.add(where, f"{detail}; to mean the text itself, double the braces")
            elif part not in PARTS:
                faults.add(where, f'an address has no part "{part}"{nearest(part, PARTS)}')
            elif name not in app.needs and name != app.name:
                faults.add(where, f'speaks of "{name}", which is not in needs')


def _check_bus(fleet: Fleet, faults: Faults) -> None:
    name = fleet.bus.backing
    if name is None:
        return
    backing = fleet.backings.get(name)
    if backing is None:
        known = [one.name for one in fleet.backings.values() if one.kind == "rabbitmq"]
        faults.add(("bus", "backing"), f'no backing is called "{name}"{nearest(name, known)}')
    elif backing.kind != "rabbitmq":
        faults.add(("bus", "backing"), f"{name} is a {backing.kind}; the bus takes a rabbitmq")


def _check_ports(fleet: Fleet, faults: Faults) -> None:
    taken: dict[int, str] = {}

    def take(port: int, where: KeyPath, owner: str) -> None:
        if port > 65535:
            faults.add(where, f"instances need ports up to {port}; the last port is 65535")
        elif port in taken:
            faults.add(where, f"port {port} is {taken[port]}'s already")
        else:
            taken[port] = owner

    if fleet.front is not None and fleet.front.port is not None:
        take(fleet.front.port, ("front", "port"), "the front door")
    if fleet.observe.port is not None:
        take(fleet.observe.port, ("observe", "port"), "the console")
    for name, backing in fleet.backings.items():
        if backing.port is not None:
            take(backing.port, ("backings", name, "port"), name)
    for name, app in fleet.apps.items():
        before = len(faults.found)
        for port in app.ports:
            if len(faults.found) == before:
                take(port, ("apps", name, "port"), name)


def _check_routes(fleet: Fleet, faults: Faults) -> None:
    for prefix, name in (fleet.front.routes if fleet.front else {}).items():
        where = ("front", "routes", prefix)
        app = fleet.apps.get(name)
        if app is None:
            faults.add(where, f'no app is called "{name}"{nearest(name, fleet.apps)}')
        elif not app.http:
            faults.add(where, f"{name} is a worker (http = false) and answers nothing")


def _check_groups(fleet: Fleet, groups: tuple[tuple[str, ...], ...], faults: Faults) -> None:
    home: set[str] = set()
    base: KeyPath = ("fleet", "together")
    for number, group in enumerate(groups):
        # One list of names is written without the outer brackets.
        whole: KeyPath = (*base, number) if faults.knows((*base, number, 0)) else base
        for index, name in enumerate(group):
            app = fleet.apps.get(name)
            if app is None:
                detail = f'no app is called "{name}"{nearest(name, fleet.apps)}'
                faults.add((*whole, index), detail)
            elif app.kind != "app":
                how = "runs elsewhere" if app.kind == "outside" else "is a command"
                faults.add((*whole, index), f"{name} {how} and cannot share a process")
            elif name in home:
                faults.add((*whole, index), f"{name} is in two groups")
            home.add(name)
        members = [fleet.apps[name] for name in group if name in fleet.apps]
        for key in ("instances", "python"):
            if len({getattr(app, key) for app in members}) > 1:
                detail = f"{', '.join(group)} share a process, so they have the same {key}"
                faults.add(whole, detail)


def _all_of(fleet: Fleet) -> tuple[tuple[str, ...], ...]:
    """All that can share a process with the others: the rest runs as it must."""
    able = [app for app in fleet.apps.values() if app.kind == "app"]
    alike = [app.name for app in able if app.python is None and app.instances == 1]
    return (tuple(alike),) if len(alike) > 1 else ()
