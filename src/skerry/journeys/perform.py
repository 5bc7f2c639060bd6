"""Performs a journey once: gives it what it asks for, bounds it, cleans up, says how it went."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import tempfile
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from skerry.core.clock import system
from skerry.core.context import attach, new_trace

from . import run as runs
from .arguments import Need
from .declare import Journey
from .explain import failure, message
from .model import Result
from .place import Place
from .run import Run, Watcher
from .spans import Spanned, Value, record
from .steps import step

OPEN_WITHIN = 30.0
"""Seconds in which all that a journey asks for must be there; a browser needs some."""

CLEAN_WITHIN = 15.0
"""Seconds that all its clean-up may take."""

CLEAN_UP = "clean up"

log = logging.getLogger("skerry.journeys")


def shots_folder() -> Path:
    """Where screenshots go if nobody says."""
    return Path(tempfile.gettempdir()) / "skerry-journeys"


async def perform(
    journey: Journey, place: Place, *, folder: Path | None = None, watcher: Watcher | None = None
) -> Result:
    """Run ``journey`` once in ``place``. What goes wrong in it is in the result.

    The journey runs in a task of its own, with a trace of its own.

    Args:
        folder: for screenshots; made when there are any.
        watcher: told of steps as they begin and end.

    Raises:
        ConfigError: an argument of it is of no type that can be given.
    """
    needs = journey.needs
    trace = replace(new_trace(), fresh=False)  # we record its root ourselves
    run = Run(journey.name, trace, folder or shots_folder(), watcher)
    work = _Performance(journey, needs, run, place).work()
    # An empty context: of whoever runs it, journeys know nothing, and no trace of theirs goes on.
    task = asyncio.create_task(work, name=f"journey {journey.name}", context=contextvars.Context())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()  # its clean-up runs all the same
        await asyncio.wait([task])
        raise


class _Performance:
    def __init__(self, journey: Journey, needs: tuple[Need, ...], run: Run, place: Place) -> None:
        self._journey = journey
        self._needs = needs
        self._run = run
        self._place = place
        self._duration = 0.0

    async def work(self) -> Result:
        journey, run = self._journey, self._run
        runs.current.set(run)
        attach(run.context)
        started = system.wall()
        error = await self._opened()
        self._record(started, error)
        if error is not None and _is_to_be_raised(error):
            raise error
        return Result(
            journey=journey.name,
            run=run.id,
            trace=run.trace_id,
            started=datetime.fromtimestamp(started, UTC),
            duration=round(self._duration, 6),
            ok=error is None,
            steps=run.steps,
            error=None if error is None else failure(error, journey.file, run.step_of(error)),
            screenshots=run.screenshots,
            owner=journey.owner,
        )

    async def _opened(self) -> BaseException | None:
        """The whole run: what it ended with, if with an exception."""
        error: BaseException | None
        stack = AsyncExitStack()
        try:
            arguments = await self._arguments(stack)
            error = await self._body(arguments)
        except BaseException as raised:
            error = raised
        if error is not None:
            await self._shoot(error)
        left = await self._clean_up()
        error = error or left  # that a run failed counts for more than that its clean-up did
        try:
            async with asyncio.timeout(CLEAN_WITHIN):
                await stack.aclose()
        except Exception as raised:
            error = error or raised
        return error

    async def _arguments(self, stack: AsyncExitStack) -> dict[str, Any]:
        opened: dict[str, Any] = {}
        try:
            async with asyncio.timeout(OPEN_WITHIN) as limit:
                for need in self._needs:
                    opened[need.name] = await self._open(need, stack)
        except TimeoutError as error:
            if not limit.expired():
                raise
            last = self._needs[len(opened)].name
            raise TimeoutError(f"{last!r} was not there within {OPEN_WITHIN:g} s") from error
        return opened

    async def _body(self, arguments: dict[str, Any]) -> BaseException | None:
        journey, run = self._journey, self._run
        began = run.began = system.now()
        # Calls are told how much time there is; they give up when the run does.
        token = attach(replace(run.context, deadline=began + journey.within))
        try:
            async with asyncio.timeout(journey.within) as limit:
                await journey.function(**arguments)
        except TimeoutError as error:
            if not limit.expired():
                return error
            late = TimeoutError(f"the run took longer than {journey.within:g} s")
            late.__cause__, late.__traceback__ = error.__cause__, error.__traceback__
            return late
        except BaseException as error:
            return error
        finally:
            self._duration = system.now() - began
            token.var.reset(token)
        return None

    async def _open(self, need: Need, stack: AsyncExitStack) -> Any:
        if need.kind == "run":
            return self._run
        if need.kind == "http":
            return await self._place.http(need.said)
        if need.kind == "settings":
            from skerry.app.settings import load

            return load(need.type, prefix=need.said)
        if need.kind == "browser":
            return await self._window(stack).give(need.type.__name__)
        if need.kind == "dynamic":
            from skerry.clients.dynamic import connect

            return connect(self._place.service(need.app), need.app)
        return need.type(self._place.service(need.app))

    def _window(self, stack: AsyncExitStack) -> Any:
        from .browser import Window

        if not isinstance(self._run.camera, Window):
            self._run.camera = Window(self._run, self._place, stack)
        return self._run.camera

    async def _shoot(self, error: BaseException) -> None:
        try:
            await self._run.screenshot("failure", self._run.step_of(error))
        except Exception as refused:  # a page that hangs: the run has failed as it is
            log.warning("%s: no screenshot: %s", self._run.journey, message(refused))

    async def _clean_up(self) -> BaseException | None:
        """Every clean-up that was asked for; the first exception of them."""
        if not self._run.cleanups:
            return None
        attach(self._run.context)
        first: BaseException | None = None
        try:
            with step(CLEAN_UP, within=CLEAN_WITHIN):
                while self._run.cleanups:
                    try:
                        await self._run.cleanups.pop()()
                    except Exception as error:
                        first = first or error
                if first is not None:
                    raise first
        except BaseException as error:
            return error
        return None

    def _record(self, started: float, error: BaseException | None) -> None:
        run = self._run
        said = "" if error is None else f"{type(error).__name__}: {message(error)}"
        attributes: dict[str, Value] = {
            "journey": run.journey,
            "journey.run": run.id,
            "synthetic": True,
        }
        record(Spanned(run.journey, run.trace, 0, started, self._duration, said, attributes))


def _is_to_be_raised(error: BaseException) -> bool:
    """Whether somebody ends the run, or the process. Anything else is how the run went: pytest's
    own failures are no ``Exception``, and a task that a journey waits for may be cancelled."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    return isinstance(error, KeyboardInterrupt)
