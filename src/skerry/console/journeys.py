"""The page Journeys: acceptance tests across the apps, how they went, and how they go just now.

Where a probe runs them it is asked; where none does, the files say what journeys there are.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote, unquote

import msgspec
from annotated_types import Ge, Le

from skerry.app.declare import Routes
from skerry.core.clock import system
from skerry.core.errors import Problem
from skerry.core.instance import Address
from skerry.core.wire import Response

from .declared import Declared
from .desk import Desk
from .upstream import CHANGE, FleetAway, Refused, Upstream

journeys = Routes("/api/journeys", tags=["journeys"])

PROBE = "journeys"
"""What the probe is called, as attendant and as service."""

Limit = Annotated[int, Ge(1), Le(10_000)]
_SHOWN = 100  # runs in a history
_LINES = 8  # of what a probe has printed that does not start
_SETTLED = 3.0  # seconds after which all of a trace has come
_AGAIN = 10.0  # seconds between two looks at what a journey leads through


class ProbeAway(Problem, status=503, type="urn:problem-type:probe-away"):
    """No probe runs the journeys of this fleet, or it does not answer."""


class _Crossed(NamedTuple):
    """Through which apps a run has led, and until when nobody need look again."""

    trace: str
    until: float
    apps: list[str]


class Journeys:
    """What the page shows, with its feeds.

    Args:
        desk: who is asked.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._declared = Declared()
        self._probes: dict[str, Upstream] = {}
        self._crossed: dict[str, _Crossed] = {}
        self._histories: dict[str, tuple[str, list[dict[str, Any]]]] = {}
        self._offer(desk)

    def _offer(self, desk: Desk) -> None:
        """Its feeds: ``journeys``, ``journey:NAME``, percent-encoded, and ``failing``, how many
        have failed when they were last run."""

        async def overview(_: str) -> bytes:
            return msgspec.json.encode(await self.overview())

        async def one(name: str) -> bytes:
            return msgspec.json.encode(await self.one(unquote(name)))

        async def failing(_: str) -> bytes:
            return msgspec.json.encode(await self.failing())

        desk.feeds.add("journeys", overview)
        desk.feeds.add("journey", one, every=0.4)  # its steps are seen as they go
        desk.feeds.add("failing", failing, every=5.0)

    async def overview(self) -> dict[str, Any]:
        """All journeys.

        Returns:
            ``probe`` (``ready``, another state, ``off``), ``detail`` (why it is not ready, and what
            it printed last), the ``journeys``, each with the apps its last good run has
            ``crossed``, its ``promises`` and the ``alert`` that goes on, if any.
        """
        status = await self._desk.status()
        row = _row(status)
        if row is None:
            found, detail = await self._declared.read(status["root"])
            return {"probe": "off", "detail": detail, "journeys": found}
        if row["state"] != "ready":
            detail = "\n".join([row["detail"], *row["last"][-_LINES:]]).strip()
            return {"probe": row["state"], "detail": detail, "journeys": []}
        asked = self._upstream(row).read("/journeys"), self._promises()
        raw, promises = await asyncio.gather(*asked)
        found = msgspec.json.decode(raw)
        crossed = await asyncio.gather(*(self._crosses(one) for one in found))
        for one, apps in zip(found, crossed, strict=True):
            one["crossed"] = apps
            one |= promises.get(one["name"], {"promises": [], "alert": None})
        return {"probe": "ready", "detail": "", "journeys": found}

    async def one(self, name: str) -> dict[str, Any]:
        """One journey as the probe knows it, with the ``history`` of its runs.

        Raises:
            ProbeAway, Refused: there is no probe, or no such journey.
        """
        probe = await self.probe()
        path = f"/journeys/{_in_path(name)}"
        found: dict[str, Any] = msgspec.json.decode(await probe.read(path))
        last = (found["last"] or {}).get("run", "")
        before, history = self._histories.get(name, ("", []))
        if last != before:
            runs = msgspec.json.decode(await probe.read(f"{path}/runs?limit={_SHOWN}"))
            history = [_in_short(run) for run in runs]
            self._histories[name] = last, history
        found["history"] = history
        found["crossed"] = await self._crosses(found)
        return found

    async def failing(self) -> int:
        """How many journeys have failed when they were last run."""
        row = _row(await self._desk.status())
        if row is None or row["state"] != "ready":
            return 0
        found = msgspec.json.decode(await self._upstream(row).read("/journeys"))
        return sum(one["last"] is not None and not one["last"]["ok"] for one in found)

    async def probe(self) -> Upstream:
        """Who runs them.

        Raises:
            ProbeAway: nobody.
        """
        row = _row(await self._desk.status())
        if row is None:
            detail = "This fleet has no probe: `[journeys] probe = true` gives it one."
            raise ProbeAway(detail=detail)
        return self._upstream(row)

    def _upstream(self, row: dict[str, Any]) -> Upstream:
        url = row["url"]
        if url not in self._probes:
            self._probes = {url: Upstream(self._desk.http.connect(Address(url)), ProbeAway)}
        return self._probes[url]

    async def _crosses(self, journey: dict[str, Any]) -> list[str]:
        """The apps that its last good run led through, in the order in which it came to them;
        until there is one those that it asks for."""
        name = journey["name"]
        asked_for: list[str] = journey["apps"]
        seen = self._crossed.get(name, _Crossed("", 0.0, asked_for))
        good = [run for run in journey["recent"] if run["ok"] and _is_settled(run)]
        if not good or good[-1]["trace"] == seen.trace or system.now() < seen.until:
            return seen.apps
        newest = good[-1]["trace"]
        try:
            trace = msgspec.json.decode(await self._desk.collector.read(f"/api/v2/trace/{newest}"))
        except Problem:  # there is no collector, or it has forgotten
            return seen.apps
        spans = sorted(trace, key=lambda span: span.get("timestamp", 0))
        services = (span.get("localEndpoint", {}).get("serviceName", "") for span in spans)
        found = [app for app in dict.fromkeys(services) if app and app != PROBE]
        self._crossed[name] = _Crossed(newest, system.now() + _AGAIN, found)
        return found

    async def _promises(self) -> dict[str, dict[str, Any]]:
        """By journey, how its objectives stand, and the alert that goes on."""
        try:
            standing, alerts = map(
                msgspec.json.decode,
                await asyncio.gather(
                    self._desk.collector.read("/api/skerry/objectives"),
                    self._desk.collector.read("/api/skerry/alerts"),
                ),
            )
        except Problem:
            return {}
        found: dict[str, dict[str, Any]] = {}
        for one in standing:
            if one["app"] == PROBE:
                promised = found.setdefault(one["endpoint"], {"promises": [], "alert": None})
                promised["promises"].append(one)
        for alert in alerts:
            if alert["state"] == "firing":
                for broken in (*alert["causes"], *alert["victims"]):
                    if broken["app"] == PROBE and broken["endpoint"] in found:
                        found[broken["endpoint"]]["alert"] = alert
        return found


@journeys.get("", raises=[FleetAway, ProbeAway, Refused])
async def get_journeys(shown: Journeys) -> dict[str, Any]:
    """What ``skerry journey ls --json`` prints, with the promises and alerts of each."""
    return await shown.overview()


@journeys.get("/{name}/runs", raises=[FleetAway, ProbeAway])
async def get_runs(shown: Journeys, name: str, limit: Limit = 50) -> Response:
    """What ``skerry journey runs NAME --json`` prints."""
    path = f"/journeys/{_in_path(name)}/runs?limit={limit}"
    return await (await shown.probe()).forward("GET", path)


@journeys.post("/{name}/runs", raises=[FleetAway, ProbeAway], timeout=CHANGE)
async def run_journey(shown: Journeys, name: str) -> Response:
    """Have the probe run it now, and wait for what comes of it."""
    return await (await shown.probe()).forward("POST", f"/journeys/{_in_path(name)}/runs")


@journeys.get("/{name}/runs/{run}", raises=[FleetAway, ProbeAway])
async def get_run(shown: Journeys, name: str, run: str) -> Response:
    """What ``skerry journey show RUN --json`` prints."""
    path = f"/journeys/{_in_path(name)}/runs/{_in_path(run)}"
    return await (await shown.probe()).forward("GET", path)


@journeys.get("/{name}/runs/{run}/screenshots/{file}", raises=[FleetAway, ProbeAway])
async def get_screenshot(shown: Journeys, name: str, run: str, file: str) -> Response:
    """What the browser of a run showed, as PNG."""
    path = f"/journeys/{_in_path(name)}/runs/{_in_path(run)}/screenshots/{_in_path(file)}"
    return await (await shown.probe()).forward("GET", path)


def _row(status: dict[str, Any]) -> dict[str, Any] | None:
    return next((row for row in status["attendants"] if row["id"] == PROBE), None)


def _is_settled(run: dict[str, Any]) -> bool:
    ended = datetime.fromisoformat(run["started"]).timestamp() + run["duration"]
    return bool(time.time() - ended > _SETTLED)


def _in_short(run: dict[str, Any]) -> dict[str, Any]:
    error = run["error"] or {}
    return {
        **{key: run[key] for key in ("run", "trace", "started", "duration", "ok")},
        "step": error.get("step", ""),
        "message": error.get("message", ""),
        "screenshots": len(run["screenshots"]),
    }


def _in_path(name: str) -> str:
    return quote(name, safe="")
