"""Journeys as a probe: ``skerry run skerry.journeys.probe:app``.

An app of its own, so that it is an instance of its own: ``SKERRY_JOURNEYS`` says which journeys
it runs, each as often as its ``every`` says. It shows what came of the last runs; ``/metrics``
has how many succeeded and failed, which is what an objective is made of.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from skerry.app.app import App
from skerry.core.errors import ConfigError, Problem
from skerry.core.wire import Headers, Response
from skerry.observe.objectives import Objective
from skerry.stack.server import ServerSettings

from .archive import Archive
from .declare import Journey
from .find import find
from .live import Underway
from .model import Mark, Result
from .place import CALLER, reach, settled
from .prober import Busy, Prober
from .promises import write_promises
from .spans import into, record_with

PREFIX = "SKERRY_"

_LONGEST = 600.0  # seconds that a run somebody waits for may take

_RECENT = 40  # runs in a status

app = App(
    CALLER,
    description="Runs journeys on their schedules, and keeps how they went.",
    # What it records are journeys; that somebody asks how they went is none.
    server=ServerSettings(edit=lambda stack: stack.put("observe", None)),
)


class ProbeSettings(Struct, frozen=True):
    """Attributes:
    journeys: folders, files and modules.
    journeys_folder: where the last runs are kept. Instances that share it take turns: one runs
        the journeys, the others show how they went.
    journeys_keep: runs of each journey.
    journeys_owner: who is told of those that name nobody.
    journeys_objectives: what they promise, as JSON; ``endpoint`` is a journey's name.
    control: of the fleet that this belongs to; then nothing runs before that has started.
    """

    journeys: list[str]
    journeys_folder: str = ".skerry/journeys"
    journeys_keep: Annotated[int, Meta(ge=1, le=10_000)] = 100
    journeys_owner: str = ""
    journeys_objectives: str = "[]"
    control: str = ""

    def objectives(self) -> list[Objective]:
        """What journeys promise.

        Raises:
            ConfigError: it is something else.
        """
        try:
            return msgspec.json.decode(self.journeys_objectives, type=list[Objective])
        except msgspec.MsgspecError as error:
            raise ConfigError(f"{PREFIX}JOURNEYS_OBJECTIVES: {error}") from None


app.settings(ProbeSettings, prefix=PREFIX)


class JourneyStatus(Struct):
    """A journey, and how it goes.

    Attributes:
        every: seconds between runs; None for one that is run by hand.
        within: seconds that a run may take.
        apps: that it asks for.
        running: what it is doing just now, in this instance.
        next: when it is due.
        runs, failed: of those that are kept.
        p50, p95: seconds that those took that did not fail; None if all did.
        last: the newest of them.
        recent: the newest of them, oldest first.
    """

    name: str
    summary: str
    owner: str
    every: float | None
    within: float
    apps: list[str]
    file: str
    line: int
    running: Underway | None
    next: datetime | None
    runs: int
    failed: int
    p50: float | None
    p95: float | None
    last: Result | None
    recent: list[Mark]


class JourneyUnknown(Problem, status=404):
    """There is no such journey."""

    name: str


class RunUnknown(Problem, status=404):
    """There is no such run, or it is kept no longer."""


class JourneyRunning(Problem, status=409):
    """The journey is being run; it never runs twice at a time."""

    name: str


@app.resource
async def prober(settings: ProbeSettings) -> AsyncIterator[Prober]:
    """The journeys, and the tasks that run them."""
    journeys = await asyncio.to_thread(find, settings.journeys)
    for journey in journeys:
        journey.owner = journey.owner or settings.journeys_owner
    archive = Archive(Path(settings.journeys_folder), settings.journeys_keep)
    await asyncio.to_thread(write_promises, journeys, settings.objectives(), archive.folder)
    place = reach(metrics=app.metrics)
    made = Prober(journeys, place, archive, app.metrics)
    record_with(into(app.metrics.tracer))
    made.start(settled(settings.control) if settings.control else None)
    try:
        yield made
    finally:
        await made.stop()
        record_with(None)
        await place.close()


@app.get("/journeys")
def list_journeys(prober: Prober) -> list[JourneyStatus]:
    """Every journey, and how it goes."""
    return [_status(prober, journey) for journey in prober.journeys.values()]


@app.get("/journeys/{name}", raises=[JourneyUnknown])
def get_journey(name: str, prober: Prober) -> JourneyStatus:
    """One journey."""
    return _status(prober, _known(prober, name))


@app.get("/journeys/{name}/runs", raises=[JourneyUnknown])
def list_runs(
    name: str, prober: Prober, limit: Annotated[int, Meta(ge=1, le=10_000)] = 50
) -> list[Result]:
    """Its last runs, newest first."""
    return prober.archive.runs(_known(prober, name).name, limit)


@app.post(
    "/journeys/{name}/runs", status=201, raises=[JourneyUnknown, JourneyRunning], timeout=_LONGEST
)
async def run_journey(name: str, prober: Prober) -> Result:
    """Run it now, and wait for what comes of it."""
    try:
        return await prober.run(_known(prober, name).name)
    except Busy:
        raise JourneyRunning(name=name) from None


@app.get("/journeys/{name}/runs/{run}", raises=[JourneyUnknown, RunUnknown])
def get_run(name: str, run: str, prober: Prober) -> Result:
    """One run."""
    found = prober.archive.run(_known(prober, name).name, run)
    if found is None:
        raise RunUnknown
    return found


@app.get(
    "/journeys/{name}/runs/{run}/screenshots/{file}",
    raises=[JourneyUnknown, RunUnknown],
    media_type="image/png",
)
def get_screenshot(name: str, run: str, file: str, prober: Prober) -> Response:
    """What the browser showed."""
    content = prober.archive.screenshot(_known(prober, name).name, run, file)
    if content is None:
        raise RunUnknown
    fields = {"content-type": "image/png", "content-length": str(len(content))}
    return Response(200, Headers.of({**fields, "cache-control": "max-age=86400"}), content)


def _known(prober: Prober, name: str) -> Journey:
    found = prober.journeys.get(name)
    if found is None:
        raise JourneyUnknown(name=name)
    return found


def _status(prober: Prober, journey: Journey) -> JourneyStatus:
    marks = prober.archive.marks(journey.name)
    live = prober.live(journey.name)
    p50, p95 = _percentiles([mark.duration for mark in marks if mark.ok])
    return JourneyStatus(
        name=journey.name,
        summary=journey.summary,
        owner=journey.owner,
        every=journey.every,
        within=journey.within,
        apps=list(dict.fromkeys(need.app for need in journey.needs if need.app)),
        file=journey.file,
        line=journey.line,
        running=None if live is None else live.tell(),
        next=prober.next(journey.name),
        runs=len(marks),
        failed=sum(not mark.ok for mark in marks),
        p50=p50,
        p95=p95,
        last=prober.archive.run(journey.name, marks[0].run) if marks else None,
        recent=marks[:_RECENT][::-1],
    )


def _percentiles(durations: list[float]) -> tuple[float | None, float | None]:
    """The median, and what nineteen of twenty do not exceed."""
    if not durations:
        return None, None
    if len(durations) == 1:
        return durations[0], durations[0]
    cuts = quantiles(durations, n=20, method="inclusive")
    return round(cuts[9], 6), round(cuts[18], 6)
