"""What a fleet runs beside its apps to see them: the collector of their spans, the console, and
the probe that runs journeys through them.

Each is an app in a process of its own, so that a busy collector cannot starve health checks, and
is nobody's to call: it stands in no registry. They start first and no app waits for them: their
sockets are there from the beginning, and what is sent before they listen waits in the backlog.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from skerry.core.errors import ConfigError
from skerry.spec import Fleet, ObjectiveSpec
from skerry.telemetry.logs import FORMAT

from . import channel as wire
from .launcher import CAN_FORK, executed
from .probe import probe
from .replica import Recipe, Seat
from .sockets import Sockets, url_of

COLLECTOR = "collector"
CONSOLE = "console"
JOURNEYS = "journeys"

PROMISES = "promises.json"
"""Beside the state of the fleet: who owns its apps, and what they promise; the collector reads it
again when it changes."""

_TARGETS = {
    COLLECTOR: "skerry.collector.app:app",
    CONSOLE: "skerry.console.app:app",
    JOURNEYS: "skerry.journeys.probe:app",
}
_PAGES_DRAIN = 0.3  # seconds: a page that is open has a stream that never ends by itself
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Attendants:
    """Makes their recipes, and the variables by which apps find the collector.

    Args:
        drain: seconds that requests in flight get when one is told to stop.
        environment: of ``skerry up``: a back end for spans that it names goes before ours.
    """

    def __init__(
        self,
        sockets: Sockets,
        control: Path,
        drain: float,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._sockets = sockets
        self._control = control
        self._drain = drain
        self._elsewhere = any(environment.get(name) for name in _ENDPOINTS)
        self._logs = environment.get(FORMAT) or "json"

    def names(self, fleet: Fleet) -> list[str]:
        """Which of them a fleet has."""
        wanted = {
            COLLECTOR: fleet.observe.collector,
            CONSOLE: fleet.observe.console,
            JOURNEYS: fleet.journeys.probe,
        }
        return [name for name, there in wanted.items() if there]

    def depends(self, fleet: Fleet, name: str) -> object:
        """What one has to be restarted for when it changes."""
        return (fleet.observe, fleet.journeys, fleet.front) if name == JOURNEYS else fleet.observe

    def folders(self, fleet: Fleet) -> dict[str, Path]:
        """Whose files one has to be restarted for when they change."""
        return {JOURNEYS: fleet.journeys.path} if fleet.journeys.probe else {}

    def address(self, fleet: Fleet, name: str) -> str:
        """Where one of them listens, or the collector that runs elsewhere; empty for nowhere."""
        if name == COLLECTOR and fleet.observe.url:
            return fleet.observe.url
        if name not in self.names(fleet):
            return ""
        try:
            return url_of(self._hold(fleet, name))
        except ConfigError:  # its port is somebody else's, which its row in `skerry ps` says
            return ""

    def recipe(self, fleet: Fleet, name: str) -> Recipe:
        """How to start one.

        Raises:
            ConfigError: its port is pinned and somebody else's.
        """
        held = self._hold(fleet, name)
        url = url_of(held)
        member = wire.Member(name, name, _TARGETS[name], str(fleet.root), 0)
        drain = min(self._drain, _PAGES_DRAIN) if name == CONSOLE else self._drain
        job = wire.Job(name, (member,), drain=drain)
        return Recipe(
            seats=(Seat(name, name, url, partial(probe, url, "/readyz", 400), listed=False),),
            env=self._environment(fleet, name),
            cwd=str(fleet.root),
            job=job,
            argv=() if CAN_FORK else executed(Path(sys.executable), job),
            fds=(held.fileno(),),
        )

    def spans(self, fleet: Fleet, app: str, instance: str) -> dict[str, str]:
        """OpenTelemetry's own variables, which instances in any language understand."""
        url = "" if self._elsewhere else self.address(fleet, COLLECTOR)
        attributes = f"service.namespace={fleet.name},service.instance.id={instance}"
        named = {"OTEL_SERVICE_NAME": app, "OTEL_RESOURCE_ATTRIBUTES": attributes}
        if not url:
            return named
        endpoint = {_ENDPOINTS[0]: url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        # The collector takes spans alone: SDKs would complain about metrics and logs.
        signals = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
        return named | endpoint | signals

    def logs(self) -> dict[str, str]:
        """How everyone who asks is to write logs: so that the fleet can read them, unless whoever
        starts it wants something else."""
        return {FORMAT: self._logs}

    def _environment(self, fleet: Fleet, name: str) -> dict[str, str]:
        common = {
            "SKERRY_FLEET": fleet.name,
            "SKERRY_CONTROL": str(self._control),
            "SKERRY_APP": name,
            "SKERRY_INSTANCE": name,
            **self.logs(),
        }
        if name == JOURNEYS:  # its runs are traces, as those of people are
            return common | self.spans(fleet, name, name) | _of_probe(fleet)
        common["OTEL_SDK_DISABLED"] = "true"  # who looks on is not what is to be seen
        if name == COLLECTOR:
            common["SKERRY_COLLECTOR_PATH"] = str(fleet.state / "spans" / "spans.db")
            common["SKERRY_COLLECTOR_SIZE_MIB"] = str(fleet.observe.keep_mib)
            common["SKERRY_COLLECTOR_PROMISES"] = str(fleet.state / PROMISES)
            common["SKERRY_COLLECTOR_JOURNEYS"] = str(fleet.state / JOURNEYS / PROMISES)
            common["SKERRY_COLLECTOR_CONSOLE"] = self.address(fleet, CONSOLE)
        elif name == CONSOLE:
            common["SKERRY_COLLECTOR"] = self.address(fleet, COLLECTOR)
        return common

    def _hold(self, fleet: Fleet, name: str) -> socket.socket:
        return self._sockets.hold(name, fleet.observe.port if name == CONSOLE else None)


def _of_probe(fleet: Fleet) -> dict[str, str]:
    spec = fleet.journeys
    return {
        "SKERRY_JOURNEYS": str(spec.path),
        "SKERRY_JOURNEYS_FOLDER": str(fleet.state / JOURNEYS),
        "SKERRY_JOURNEYS_KEEP": str(spec.keep),
        "SKERRY_JOURNEYS_OWNER": spec.owner or "",
        "SKERRY_JOURNEYS_OBJECTIVES": json.dumps(_objectives(spec.objectives)),
    }


def _objectives(specs: Iterable[ObjectiveSpec]) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in asdict(one).items() if value is not None} for one in specs
    ]


def write_promises(fleet: Fleet) -> None:
    """Tell the collector what the apps have promised. Blocks.

    Of journeys only the probe knows what there are, so it tells of them; of a probe that runs no
    more nothing is left here.
    """
    apps = {
        app.name: {
            "owner": app.owner or "",
            "team": app.team or "",
            "objectives": _objectives(app.objectives),
        }
        for app in fleet.apps.values()
    }
    alerts = {key: value or "" for key, value in asdict(fleet.alerts).items()}
    if not fleet.journeys.probe:
        (fleet.state / JOURNEYS / PROMISES).unlink(missing_ok=True)
    path = fleet.state / PROMISES
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"apps": apps, "alerts": alerts}, indent=1))
    fresh.chmod(0o600)  # the mail server's password is in it
    fresh.replace(path)
