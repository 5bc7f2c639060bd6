"""Verbs that change what runs: ``up``, ``down``, ``restart``, ``scale``, ``stop``, ``start``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skerry.fleet.client import Control, ControlError

from .output import echo_json, fail, nearest, note
from .place import control, fleet_file


def up(
    file: str, only: list[str] | None, detach: bool, no_reload: bool, control_port: int | None
) -> int:
    """Start the fleet; detached, 1 when something did not become ready."""
    place = fleet_file(file)
    from skerry.fleet.up import up as start

    names = ",".join(only or ()).replace(",", " ").split()
    try:
        return start(
            place, only=names, detach=detach, reload=not no_reload, control_port=control_port
        )
    except KeyboardInterrupt:
        if detach:
            note("it goes on starting; `skerry down` ends it")
        raise


def down(file: str) -> int:
    """End the fleet; that there was none is no failure."""
    place = fleet_file(file)
    from skerry.fleet.up import down as end

    if not end(place):
        note(f"no fleet was running in {place.parent}")
    return 0


def restart(file: str, name: str, as_json: bool) -> int:
    return _changed(file, name, as_json, lambda fleet: fleet.restart(name))


def stop(file: str, name: str, as_json: bool) -> int:
    return _changed(file, name, as_json, lambda fleet: fleet.stop(name))


def start(file: str, name: str, as_json: bool) -> int:
    return _changed(file, name, as_json, lambda fleet: fleet.start(name))


def scale(file: str, name: str, instances: int, as_json: bool) -> int:
    return _changed(file, name, as_json, lambda fleet: fleet.scale(name, instances))


def _changed(
    file: str, name: str, as_json: bool, change: Callable[[Control], dict[str, Any]]
) -> int:
    """Change an app and say how it is then: 1 when not all of it is ready."""
    fleet = control(file)
    app_in(fleet.status(), name)
    try:
        state = change(fleet)
    except ControlError as error:
        faults = [str(fault["detail"]) for fault in error.problem.get("errors", ())]
        if not faults:
            raise
        fail("; ".join(faults))
    if as_json:
        echo_json(state)
    elif not state["instances"]:
        print(f"{name}: stopped")
    else:
        print(f"{name}: {state['ready']} of {state['instances']} ready")
    if state["ready"] == state["instances"]:
        return 0
    note(f"`skerry logs {name}` says why")
    return 1


def app_in(status: dict[str, Any], name: str) -> dict[str, Any]:
    """The state of one app, from that of the fleet.

    Raises:
        Failed: there is none of that name, with the nearest that there is.
    """
    apps: dict[str, dict[str, Any]] = {app["app"]: app for app in status["apps"]}
    if name not in apps:
        fail(f"no app {name!r} runs in {status['root']}.{nearest(name, list(apps))}")
    return apps[name]
