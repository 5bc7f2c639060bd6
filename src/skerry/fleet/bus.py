"""Where the events of a fleet go: what ``fleet.toml`` says, unless the environment says more."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from skerry.bus.urls import absolute, file_url
from skerry.spec import BusSpec, Fleet

VARIABLE = "SKERRY_BUS"


def wired(fleet: Fleet, environment: Mapping[str, str] = os.environ) -> Fleet:
    """The fleet with its bus settled, and needed by every app where it is one of the backings.

    Args:
        environment: of ``skerry up``. A bus that it names goes before that of the file; a broker
            that nobody needs then is not started.
    """
    bus, given = fleet.bus, environment.get(VARIABLE)
    if given:
        return _elsewhere(fleet, absolute(given, fleet.root))
    if bus.url is not None:
        return replace(fleet, bus=BusSpec(absolute(bus.url, fleet.root)))
    if bus.backing is None:
        return replace(fleet, bus=BusSpec(file_url(fleet.state / "bus.db")))
    apps = {
        name: app
        if app.kind == "outside" or bus.backing in app.needs
        else replace(app, needs=(*app.needs, bus.backing))
        for name, app in fleet.apps.items()
    }
    return replace(fleet, apps=apps)


def _elsewhere(fleet: Fleet, url: str) -> Fleet:
    needed = {need for app in fleet.apps.values() for need in app.needs}
    idle = {fleet.bus.backing} - needed
    return replace(
        fleet,
        bus=BusSpec(url),
        backings={name: one for name, one in fleet.backings.items() if name not in idle},
        notes=(*fleet.notes, f"{VARIABLE} of the environment says where the bus is"),
    )
