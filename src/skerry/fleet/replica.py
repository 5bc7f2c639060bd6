"""One process of the fleet through all its lives: started, watched, restarted, stopped.

A replica is what the fleet wants to exist; the process behind it comes and goes. All decisions
about one are made in one task, so they are made one after another.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from skerry.core.clock import Clock, system
from skerry.core.errors import ConfigError, Error

from . import channel as wire
from .launcher import Launcher, Process
from .loglines import words
from .logs import LogBook, Pipe
from .pace import Deaths, Pace
from .probe import Health

_LAST_LINES = 20


class State(StrEnum):
    STARTING = "starting"
    READY = "ready"
    UNHEALTHY = "unhealthy"
    BACKOFF = "backoff"
    CRASHED = "crashed"
    STOPPING = "stopping"
    STOPPED = "stopped"
    EXTERNAL = "external"


Check = Callable[[float], Awaitable[tuple[Health, str]]]


@dataclass(slots=True)
class Seat:
    """One app in a replica: what the rest of the fleet sees as an instance.

    Attributes:
        app: its name.
        id: ``quotes-1``.
        url: where it listens; empty for a worker that has no address.
        check: asks for its health, within so many seconds; None to take a running process as
            a healthy one.
        listed: whether other apps may call it at all.
        healthy: None until it has answered for the first time.
        detail: why it is not healthy.
    """

    app: str
    id: str
    url: str = ""
    check: Check | None = None
    listed: bool = True
    healthy: bool | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to start a process.

    Attributes:
        job: what to fork; None where ``argv`` is to be executed.
        fds: its listening sockets.
        group: whether signals go to its whole process group.
        stop: the signal that ends it in order.
        stop_within: seconds it then has; None for the fleet's pace.
    """

    seats: tuple[Seat, ...]
    env: dict[str, str]
    cwd: str
    job: wire.Job | None = None
    argv: tuple[str, ...] = ()
    fds: tuple[int, ...] = ()
    group: bool = False
    stop: int = signal.SIGTERM
    stop_within: float | None = None


@dataclass(frozen=True)
class Ground:
    """What all replicas of a fleet share."""

    launcher: Launcher
    logs: LogBook
    pace: Pace
    changed: Callable[[Replica], None]
    clock: Clock = field(default=system)


class Replica:
    """Keeps one process running until it is told to stop.

    Args:
        name: of the process, and of its log.
        prepare: says how to start it; called before every start.
        apps: name and instance of each app in it, to be seen before that has worked once.

    Attributes:
        seats: the apps in it.
        phase: of the process; ``state_of`` says it for one app in it.
        returning: it is being restarted on purpose: its socket is open, and waiting there is
            better than being refused.
        restarts: how often it was started again after a death.
        detail: why it is not running.
        last: the last lines it printed, as they are.
    """

    def __init__(
        self,
        name: str,
        prepare: Callable[[], Awaitable[Recipe]],
        ground: Ground,
        apps: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.name = name
        self.seats: Sequence[Seat] = [Seat(app, instance) for app, instance in apps]
        self.phase = State.STARTING
        self.returning = False
        self.restarts = 0
        self.detail = ""
        self.last: deque[str] = deque(maxlen=_LAST_LINES)
        self.since = ground.clock.wall()
        self._prepare = prepare
        self._ground = ground
        self._process: Process | None = None
        self._ready_at: float | None = None
        self._deaths = Deaths(ground.pace)
        self._asked = asyncio.Event()
        self._over = False
        self._notice = 0.0
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # -- for the supervisor ----------------------------------------------------------------

    @property
    def pid(self) -> int | None:
        process = self._process
        return None if process is None or process.exited.done() else process.pid

    @property
    def ready(self) -> bool:
        return self.phase is State.READY and all(seat.healthy for seat in self.seats)

    @property
    def settled(self) -> bool:
        """Whether waiting any longer for a first result makes no sense."""
        if self.phase is State.READY:
            return all(seat.healthy is not None for seat in self.seats)
        return self.phase in (State.CRASHED, State.STOPPED)

    def state_of(self, seat: Seat) -> State:
        if self.phase in (State.STARTING, State.READY) and seat.healthy is not None:
            return State.READY if seat.healthy else State.UNHEALTHY
        return State.STARTING if self.phase is State.READY else self.phase

    def last_words(self) -> list[str]:
        """The last lines it printed, as people read them."""
        return [line for text in self.last for line in words(text).split("\n")][-_LAST_LINES:]

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"replica {self.name}")

    async def stop(self, notice: float = 0.0) -> None:
        """End the process, in order; returns when it is gone.

        Args:
            notice: seconds in which callers hear that its address is going before it goes.
        """
        self._over = True
        self._notice = notice
        self._asked.set()
        if self._task is not None:
            await asyncio.wait({self._task})

    def restart(self) -> None:
        """Replace the process by a new one; ``wait`` to see it ready."""
        self._deaths.forget()
        self.returning = True
        if self.phase is not State.STARTING or self._process is not None:
            self.phase = State.STOPPING  # from now on: nobody may take the old one for the new
        self._asked.set()

    async def wait(self, timeout: float) -> bool:
        """Until it is ready, or will not be soon; whether it is ready."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not self.settled:
                    self._news.clear()
                    await self._news.wait()
        return self.ready

    # -- its life --------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self._over:
            self._asked.clear()
            self._set(State.STARTING)
            pause = await self._live()
            if pause > 0 and not self._over:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._asked.wait()
        self._set(State.STOPPED)

    async def _live(self) -> float:
        """One process from start to end; seconds to wait before the next one."""
        self._ready_at = None
        try:
            recipe = await self._unless_asked(self._prepare())
            if recipe is None:
                return 0.0
            self.seats = recipe.seats
            process, pipe = await self._launch(recipe)
        except ConfigError as error:
            return self._not_started(error, State.CRASHED)
        except (Error, OSError) as error:
            return self._not_started(error, State.BACKOFF)
        self._process = process
        checks = [asyncio.create_task(self._check(seat)) for seat in self.seats]
        asked = asyncio.create_task(self._asked.wait())
        events: list[asyncio.Future[Any]] = [process.exited, asked]
        try:
            await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
            on_purpose = asked.done()
            if on_purpose:
                await self._retire(process, recipe)
            code = process.exited.result()
        finally:
            for task in (*checks, asked):
                task.cancel()
        pipe.drain()
        if on_purpose:
            return 0.0
        return self._died(code)

    async def _unless_asked(self, preparing: Awaitable[Recipe]) -> Recipe | None:
        """What is being prepared, or None if a stop or a restart was asked for meanwhile: it may
        be waiting for a backing, and nobody should have to wait for that."""
        task = asyncio.ensure_future(preparing)
        asked = asyncio.create_task(self._asked.wait())
        events: list[asyncio.Future[Any]] = [task, asked]
        await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if task.done():
            return task.result()
        task.cancel()
        await asyncio.wait([task])
        return None

    async def _launch(self, recipe: Recipe) -> tuple[Process, Pipe]:
        ground = self._ground
        self.last.clear()  # of this process, not of those before it
        pipe = ground.logs.pipe(self.name, self.last.extend)
        try:
            process = await ground.launcher.start(
                self.name,
                job=recipe.job,
                argv=recipe.argv,
                env=recipe.env,
                cwd=recipe.cwd,
                fds=(pipe.write_end, *recipe.fds),
                group=recipe.group,
            )
        except BaseException:
            pipe.close()
            raise
        pipe.opened()
        return process, pipe

    async def _retire(self, process: Process, recipe: Recipe) -> None:
        self._set(State.STOPPING)
        if self._notice and not process.exited.done():
            await asyncio.sleep(self._notice)
        grace = recipe.stop_within or self._ground.pace.stop_within
        await process.stop(grace, recipe.stop)

    def _not_started(self, error: BaseException, state: State) -> float:
        self.returning = False
        self.detail = str(error)
        self._ground.logs.write(self.name, [f"skerry: {line}" for line in self.detail.split("\n")])
        pause = self._deaths.died(0.0)
        self._set(State.CRASHED if self._deaths.looping else state)
        return self._ground.pace.retry_crashed if self.phase is State.CRASHED else pause

    def _died(self, code: int) -> float:
        ground = self._ground
        self.returning = False
        served = 0.0 if self._ready_at is None else ground.clock.now() - self._ready_at
        pause = self._deaths.died(served)
        self.restarts += 1
        last = next((line for line in reversed(self.last_words()) if line.strip()), "")
        self.detail = f"{described(code)}: {last.strip()}" if last else described(code)
        looping = self._deaths.looping or code == wire.CANNOT_LOAD
        if looping:
            pause = ground.pace.retry_crashed
        ground.logs.write("fleet", [f"{self.name} {described(code)}; next attempt in {pause:g} s"])
        self._set(State.CRASHED if looping else State.BACKOFF)
        return pause

    def _set(self, phase: State) -> None:
        if phase is State.READY:
            self.detail = ""
            self.returning = False
            self._ready_at = self._ground.clock.now()
        elif phase is State.STARTING:
            for seat in self.seats:
                seat.healthy = None
        self.phase = phase
        self.since = self._ground.clock.wall()
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._ground.changed(self)

    # -- its health ------------------------------------------------------------------------

    async def _check(self, seat: Seat) -> None:
        pace = self._ground.pace
        pause, failed, silent = pace.probe_first, 0, 0
        patience = self._ground.clock.now() + pace.start_within
        while True:
            health, why = Health.OK, ""
            if seat.check is not None:
                # The first answer may take as long as the app takes to load.
                timeout = pace.probe_timeout if seat.healthy is not None else pace.start_within
                health, why = await seat.check(timeout)
            if self.phase not in (State.STARTING, State.READY):
                return  # on its way out; what it says now is not news
            if health is Health.OK:
                pause, failed, silent = pace.probe_every, 0, 0
                self._note(seat, True, "")
            else:
                failed += 1
                silent = silent + 1 if health is Health.SILENT else 0
                pause = min(pause * 2, pace.probe_slowest)
                if seat.healthy is None and self._ground.clock.now() < patience:
                    self._note(seat, None, why)
                elif failed >= pace.unhealthy_after:
                    self._note(seat, False, why)
                if seat.healthy is False and silent >= pace.replace_after:
                    await self._replace(why)
                    return
            if seat.check is None:
                return
            await asyncio.sleep(pause)

    def _note(self, seat: Seat, healthy: bool | None, detail: str) -> None:
        if (seat.healthy, seat.detail) == (healthy, detail):
            return
        seat.healthy, seat.detail = healthy, detail
        if self.phase is State.STARTING and all(seat.healthy for seat in self.seats):
            self._set(State.READY)
        else:
            self._tell()

    async def _replace(self, why: str) -> None:
        """End a process that hangs: it is still there, and answers nobody."""
        self._ground.logs.write("fleet", [f"{self.name} hangs ({why}); it is killed"])
        if self._process is not None:
            await self._process.send(signal.SIGKILL, group=True)


def described(code: int) -> str:
    """How a process ended, for people."""
    if code == wire.CANNOT_LOAD:
        return "could not be loaded"
    if code == wire.CANNOT_START:
        return "did not start"
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-code).name}"
        return f"was killed by signal {-code}"
    return f"exited with status {code}"
