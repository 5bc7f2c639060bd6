"""A run, while it lasts: its id, its steps, its browser's pictures, and what it has to clean up."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol

from skerry.core.clock import system
from skerry.core.context import Context, Trace, format_baggage

from .model import Screenshot, StepResult

SYNTHETIC = "synthetic"
"""The member of the baggage that tells traffic of journeys from people's."""


class Watcher(Protocol):
    """Who follows a run as it happens."""

    def began(self, step: StepResult) -> None: ...

    def ended(self, step: StepResult) -> None: ...


class Camera(Protocol):
    """What takes the pictures of a run: its browser."""

    async def shoot(self, file: Path) -> bool:
        """Write what the newest page shows into ``file``; whether there is a page."""
        ...


class Run:
    """The run of a journey, for the journey.

    Attributes:
        id: of this run and no other: 16 letters and digits, which names and keys of test data
            are made of. Later runs have greater ones.
        journey: its name.
        trace: the root of its trace.
        began: when, on the clock's ``now()``; once all that it asks for is there.
    """

    def __init__(
        self, journey: str, trace: Trace, folder: Path, watcher: Watcher | None = None
    ) -> None:
        self.id = new_id()
        self.began = system.now()
        self.journey = journey
        self.trace = trace
        self.steps: list[StepResult] = []
        self.screenshots: list[Screenshot] = []
        self.open: list[StepResult] = []
        self.context = Context(trace=trace, baggage={SYNTHETIC: journey})
        self.camera: Camera | None = None
        self.blamed: tuple[BaseException, str] | None = None
        self.cleanups: list[Callable[[], Awaitable[object]]] = []
        self._folder = folder
        self._watcher = watcher

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        return f"{self.trace.trace_id:032x}"

    def cleanup(self, function: Callable[..., Awaitable[object]], *args: Any, **kw: Any) -> None:
        """Call ``function`` with these arguments when the run is over, however it ends. What was
        registered last goes first; one that fails keeps none of the others, and fails the run."""
        self.cleanups.append(lambda: function(*args, **kw))

    async def screenshot(self, name: str, step: str = "") -> Screenshot | None:
        """Take a picture of what the browser shows now; None where there is no browser.

        Args:
            step: that it belongs to; by default the one that is open.
        """
        if self.camera is None:
            return None
        number = len(self.screenshots) + 1
        file = self._folder / f"{self.id}-{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        if not await self.camera.shoot(file):
            return None
        open_step = self.open[-1].name if self.open else ""
        taken = Screenshot(name, step or open_step, str(file))
        self.screenshots.append(taken)
        return taken

    def headers(self) -> dict[str, str]:
        """What a request of the browser carries to be part of the step that is open."""
        trace = self.context.trace or self.trace
        baggage = format_baggage(self.context)
        return {"traceparent": trace.traceparent.decode(), "baggage": baggage.decode("latin-1")}

    # -- for steps ---------------------------------------------------------------------------

    def begin(self, name: str, depth: int) -> StepResult:
        step = StepResult(name, depth=depth, at=round((system.now() - self.began) * 1000, 3))
        self.steps.append(step)
        self.open.append(step)
        if self._watcher is not None:
            self._watcher.began(step)
        return step

    def end(self, step: StepResult, error: BaseException | None) -> None:
        self.open.remove(step)
        if error is not None and (self.blamed is None or self.blamed[0] is not error):
            self.blamed = (error, step.name)  # the innermost is told first
        if self._watcher is not None:
            self._watcher.ended(step)

    def step_of(self, error: BaseException | None) -> str:
        """The step that ``error`` comes from; empty for none."""
        while error is not None and self.blamed is not None:
            if error is self.blamed[0]:
                return self.blamed[1]
            error = error.__cause__ or error.__context__
        return ""


current: ContextVar[Run | None] = ContextVar("skerry.journey", default=None)
"""The run that the running task is part of."""


_last = 0
_one_at_a_time = threading.Lock()


def new_id() -> str:
    """Microseconds since 1970, of which this process uses none twice, and chance against other
    processes: sortable, and nobody else's."""
    global _last
    with _one_at_a_time:
        _last = moment = max(time.time_ns() // 1_000, _last + 1)
    return f"{moment:013x}{random.getrandbits(12):03x}"
