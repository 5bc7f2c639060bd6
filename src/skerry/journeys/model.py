"""What came of a run, as JSON everywhere: on the command line, over HTTP, in files."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class StepResult(Struct):
    """One step of a run, in the order in which they began.

    Attributes:
        ms: how long it took, in milliseconds; ``at`` when it began, after the run did.
        ok: it has ended, and not with an exception.
        error: what it ended with, in a line.
        depth: how many other steps it is within.
        slow: it took longer than its ``slow`` allows.
    """

    name: str
    ms: float = 0.0
    ok: bool = False
    error: str | None = None
    depth: int = 0
    slow: bool = False
    at: float = 0.0


class Failure(Struct):
    """Why a run failed.

    Attributes:
        type: of the exception.
        step: in which it was raised; empty outside of any.
        where: the line of the journey, ``pay_tuition.py:31``.
        stack: the traceback, from the journey's own line on.
    """

    type: str
    message: str
    step: str = ""
    where: str = ""
    stack: str = ""


class Screenshot(Struct):
    """What a browser showed.

    Attributes:
        step: in which it was taken; empty outside of any.
        file: where it is: a path on the command line and in tests, a file name from the probe.
    """

    name: str
    step: str
    file: str


class Mark(Struct, frozen=True):
    """What a list of runs shows of one; see ``Result``."""

    run: str
    trace: str
    started: datetime
    duration: float
    ok: bool


class Result(Struct):
    """One run of a journey.

    Attributes:
        run: its id, unique; later runs have greater ones.
        trace: the trace it is, 32 hexadecimal digits.
        duration: in seconds, without opening and closing what the journey is given.
        ok: it came to its end, and so did its clean-up.
    """

    journey: str
    run: str
    trace: str
    started: datetime
    duration: float
    ok: bool
    steps: list[StepResult]
    error: Failure | None = None
    screenshots: list[Screenshot] = []
    owner: str = ""
