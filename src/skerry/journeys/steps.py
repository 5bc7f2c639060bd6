"""``with step("get a quote"):`` names a part of a journey, times it, and makes it a span."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar, Token
from types import TracebackType

from msgspec.structs import replace

from skerry.core.clock import system
from skerry.core.context import Context, Trace, attach, detach, new_trace
from skerry.core.context import current as context

from . import run as runs
from .explain import message
from .model import StepResult
from .spans import Spanned, record

_depth: ContextVar[int] = ContextVar("skerry.journey.depth", default=0)
"""How many steps the running task is in. Not the run's to know: two may be open side by side."""


class step:
    """A part of a journey. What it calls is below it in the trace. Steps may be within steps.

    Outside of a run nothing is noted, so a function with steps can be called from any test.

    Args:
        within: seconds after which it is interrupted, and has failed.
        slow: seconds after which it is marked as slow, and goes on.

    Raises:
        TimeoutError: (at its end) it was interrupted.
    """

    def __init__(
        self, name: str, *, within: float | None = None, slow: float | None = None
    ) -> None:
        self.name = name
        self._within = within
        self._slow = slow
        self._run: runs.Run | None = None
        self._result = StepResult(name)
        self._limit: _Limit | None = None
        self._token: Token[Context] | None = None
        self._within_it: Token[int] | None = None
        self._trace = self._parent = Trace(0, 0)

    def __enter__(self) -> StepResult:
        self._run = run = runs.current.get()
        self._began, self._wall = system.now(), system.wall()
        if run is not None:
            depth = _depth.get()
            self._result = run.begin(self.name, depth)
            self._within_it = _depth.set(depth + 1)
            self._parent = context().trace or run.trace
            self._trace = replace(self._parent, span_id=new_trace().span_id)
            self._token = attach(replace(context(), trace=self._trace))
            run.context = replace(run.context, trace=self._trace)
        if self._within is not None:
            self._limit = _Limit(self._within)
        return self._result

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        raised = error
        if self._limit is not None and self._limit.passed(error):
            raised = TimeoutError(f"{self.name!r} took longer than {self._within:g} s")
        self._end(raised)
        if raised is not error and raised is not None:
            raise raised from error

    def _end(self, error: BaseException | None) -> None:
        seconds = system.now() - self._began
        result = self._result
        result.ms = round(seconds * 1000, 3)
        result.ok = error is None
        result.error = None if error is None else message(error)
        result.slow = self._slow is not None and seconds > self._slow
        if self._token is not None:
            detach(self._token)
        if self._within_it is not None:
            _depth.reset(self._within_it)
        if self._run is not None:
            self._run.context = replace(self._run.context, trace=self._parent)
            self._run.end(result, error)
            record(
                Spanned(
                    self.name,
                    self._trace,
                    self._parent.span_id,
                    self._wall,
                    seconds,
                    result.error or "",
                    {"journey": self._run.journey, "journey.run": self._run.id},
                )
            )


class _Limit:
    """Interrupts the running task after a while: what ``asyncio.timeout`` does, for ``with``."""

    def __init__(self, seconds: float) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a step with a limit is for coroutines")
        self._task = task
        self._cancelling = task.cancelling()
        self._expired = False
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()

    def passed(self, error: BaseException | None) -> bool:
        """Whether the block ends because of this limit, and of nothing else."""
        self._timer.cancel()
        if not self._expired:
            return False
        return self._task.uncancel() <= self._cancelling and isinstance(
            error, asyncio.CancelledError
        )
