"""Runs journeys for the command line, and shows their steps as they happen."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from skerry.fleet.client import Control, ControlError
from skerry.journeys.declare import Journey
from skerry.journeys.model import Result, StepResult
from skerry.journeys.perform import perform
from skerry.journeys.place import CALLER, Place, reach
from skerry.journeys.spans import into, record_with
from skerry.telemetry.export import exporter_from
from skerry.telemetry.metrics import Metrics

from .output import coloured, duration, note, paint


class Where(NamedTuple):
    """Where journeys are to run.

    Attributes:
        urls: addresses by app.
        control: socket of the fleet that runs; empty for none.
        inside: the file of a fleet whose apps are to run in this process.
    """

    urls: dict[str, str]
    control: str
    inside: Path | None


async def go(
    journeys: Sequence[Journey], where: Where, repeat: int, shots: Path | None, *, quiet: bool
) -> list[Result]:
    """Every run of every journey, one after the other.

    Args:
        shots: the folder for screenshots.
        quiet: print nothing.
    """
    results = []
    metrics = Metrics()
    async with _place(where, metrics) as place, _recorded(where, metrics):
        for journey in journeys:
            for _ in range(repeat):
                if not quiet:
                    print(journey.name, flush=True)
                watcher = None if quiet else Live()
                result = await perform(journey, place, folder=shots, watcher=watcher)
                results.append(result)
                if not quiet:
                    _conclude(result)
    return results


@asynccontextmanager
async def _place(where: Where, metrics: Metrics) -> AsyncIterator[Place]:
    if where.inside is not None:
        from skerry.journeys.inprocess import fleet_inside
        from skerry.spec import load

        with TemporaryDirectory(prefix="skerry-journeys-") as folder:
            async with fleet_inside(load(where.inside), Path(folder)) as place:
                yield place
        return
    place = reach(where.urls, where.control, metrics=metrics)
    try:
        yield place
    finally:
        await place.close()


@asynccontextmanager
async def _recorded(where: Where, metrics: Metrics) -> AsyncIterator[None]:
    """Runs are seen by the fleet's collector, or wherever the environment sends spans."""
    environment = dict(os.environ)
    if where.control and "OTEL_EXPORTER_OTLP_ENDPOINT" not in environment:
        root = Path(where.control).parent.parent
        with suppress(ControlError):
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = Control(root).status()["collector"]
    exporter = exporter_from(environment, metrics, CALLER)
    if exporter is None:
        yield
        return
    exporter.start()
    record_with(into(metrics.tracer))
    try:
        yield
    finally:
        record_with(None)
        await asyncio.to_thread(exporter.stop)


class Live:
    """Steps as they happen: the one that is open is shown until it ends, where that can be seen."""

    def __init__(self) -> None:
        self._seen = sys.stdout.isatty()

    def began(self, step: StepResult) -> None:
        if self._seen:
            print(f"  {'  ' * step.depth}… {step.name}", end="\r", flush=True)

    def ended(self, step: StepResult) -> None:
        mark, colour = ("✓", "green") if step.ok else ("✗", "red")
        took = duration(step.ms / 1000)
        slow = paint(" slow", "yellow") if step.slow else ""
        clear = "\x1b[K" if self._seen and coloured(sys.stdout) else ""
        text = f"  {'  ' * step.depth}{paint(mark, colour)} {step.name} {paint(took, 'dim')}{slow}"
        print(text + clear, flush=True)


def _conclude(result: Result) -> None:
    error = result.error
    if error is not None:
        step = f"{error.step}: " if error.step else ""
        where = f" ({error.where})" if error.where else ""
        note(paint(f"  {step}{error.type}: {error.message}{where}", "red", sys.stderr))
    for shot in result.screenshots:
        print(f"  screenshot {shot.name}: {shot.file}")
    ended = paint("ok", "green") if result.ok else paint("failed", "red")
    print(f"  {ended} in {duration(result.duration)}, trace {result.trace}", flush=True)
