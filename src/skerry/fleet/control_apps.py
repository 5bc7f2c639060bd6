"""The part of the control API that changes what runs: restart, scale, stop, start."""

from __future__ import annotations

from msgspec import Struct

from skerry.app import App
from skerry.contract.faults import invalid
from skerry.core.errors import ConfigError, Fault, NotFound

from .status import AppStatus, fleet_status
from .supervisor import Supervisor

_LONGEST_CHANGE = 600.0  # seconds: a rolling restart of many slow instances takes its time


class Scale(Struct):
    """How many instances are to run."""

    instances: int


def add_apps(app: App, supervisor: Supervisor) -> None:
    """Declare it."""

    @app.post("/apps/{name}/restart", raises=[NotFound], timeout=_LONGEST_CHANGE)
    async def restart(name: str) -> AppStatus:
        """Replace every instance of an app, one after the other."""
        await supervisor.restart(name)
        return _status(supervisor, name)

    @app.post("/apps/{name}/scale", raises=[NotFound], timeout=_LONGEST_CHANGE)
    async def scale(name: str, wanted: Scale) -> AppStatus:
        """Run so many instances of an app, until ``fleet.toml`` says something else."""
        try:
            await supervisor.scale(name, wanted.instances)
        except ConfigError as error:
            raise invalid([Fault("#/instances", str(error))]) from None
        return _status(supervisor, name)

    @app.post("/apps/{name}/stop", raises=[NotFound], timeout=_LONGEST_CHANGE)
    async def stop(name: str) -> AppStatus:
        """End all instances of an app, until it is started again."""
        await supervisor.scale(name, 0)
        return _status(supervisor, name)

    @app.post("/apps/{name}/start", raises=[NotFound], timeout=_LONGEST_CHANGE)
    async def start(name: str) -> AppStatus:
        """Run as many instances of an app as ``fleet.toml`` says; nothing where any runs."""
        if not _status(supervisor, name).instances:
            await supervisor.scale(name, supervisor.fleet.apps[name].instances)
        return _status(supervisor, name)


def _status(supervisor: Supervisor, name: str) -> AppStatus:
    status = fleet_status(supervisor)
    found = next((app for app in status.apps if app.app == name), None)
    if found is None:
        raise NotFound(detail=f"no app named {name!r} runs here")
    return found
