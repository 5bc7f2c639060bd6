"""Leaves an instance alone while it keeps failing, and asks it now and then how it is.

Two kinds of failure are told apart, because they call for different things when *every*
instance fails. One that does not answer costs its callers time and gives nothing: it is closed
to them, and they fail at once. One that answers badly is alive, and may fail for one endpoint
and be well for the others: it is only avoided, as long as there is any better one.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from skerry.core.clock import Clock, system
from skerry.core.errors import AttemptTimeout, BreakerOpen, ConnectError, ConnectionLost
from skerry.core.instance import Status
from skerry.core.service import Service
from skerry.core.wire import PUSHBACK, Request, Response, Stream
from skerry.telemetry.metrics import Metrics

from .numbers import refuse_odd

_OPEN = Status.OPEN
_SILENT = (ConnectError, ConnectionLost, AttemptTimeout)
_STEPS = 10  # in which old samples fade, for each time constant


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When an instance counts as failing, and for how long.

    Attributes:
        success_rate: what share of calls must succeed, over ``window``.
        window: seconds after which a sample weighs 1/e of a new one.
        volume: samples in the window without which the rate says nothing.
        consecutive: failures in a row that are enough by themselves.
        reopen: seconds until the first question how it is; doubled after each bad answer.
        longest: seconds between questions at most.
    """

    success_rate: float = 0.8
    window: float = 10.0
    volume: float = 20.0
    consecutive: int = 5
    reopen: float = 1.0
    longest: float = 30.0

    def __post_init__(self) -> None:
        refuse_odd(self, "window", "consecutive", "reopen", "longest")


class SuccessRate:
    """How many calls succeeded lately: counts that fade with time, and a run of failures.

    Fading happens in tenths of the window, so that a success costs an addition and a compare.
    """

    __slots__ = ("_fade_at", "_step", "bad", "good", "run")

    def __init__(self, window: float, now: float) -> None:
        self._step = window / _STEPS
        self.reset(now)

    def reset(self, now: float) -> None:
        self.good = self.bad = 0.0
        self.run = 0
        self._fade_at = now + self._step

    def success(self, now: float) -> None:
        if now >= self._fade_at:
            self._fade(now)
        self.good += 1.0
        self.run = 0

    def failure(self, now: float) -> None:
        if now >= self._fade_at:
            self._fade(now)
        self.bad += 1.0
        self.run += 1

    def _fade(self, now: float) -> None:
        steps = int((now - self._fade_at) / self._step) + 1
        factor = math.exp(-steps / _STEPS)
        self.good *= factor
        self.bad *= factor
        self._fade_at += steps * self._step


class Breaker:
    """The filter of one instance, and what its balancer looks at (``status``).

    ========  ================================================  =============
    state     calls                                             status
    ========  ================================================  =============
    closed    pass                                              OPEN
    open      pass if it answers badly, raise if it is silent   BUSY, CLOSED
    probing   one passes, the others as when open               OPEN for one
    ========  ================================================  =============

    States are those of an electric breaker: closed is when current flows.

    Raises:
        BreakerOpen: the instance does not answer, and it is not yet time to try it again.
    """

    def __init__(
        self,
        settings: BreakerSettings,
        metrics: Metrics,
        caller: str = "",
        app: str = "",
        instance: str = "",
        clock: Clock = system,
        rng: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self._app = app
        self._instance = instance
        self._now = clock.now
        self._rng = rng or random.Random()
        self._rate = SuccessRate(settings.window, self._now())
        self._opened = metrics.counter(
            "skerry_breaker_opened", "Instances found failing.", app=caller, peer=app
        )
        self._shut: Status | None = None  # BUSY or CLOSED while open
        self._probe_at = 0.0
        self._probing = False
        self._wait = settings.reopen  # seconds until the next question
        self._recovered = 0  # times that it closed again

    @property
    def status(self) -> Status:
        if self._shut is None:
            return _OPEN
        if self._probing or self._now() < self._probe_at:
            return self._shut
        return _OPEN

    @property
    def state(self) -> str:
        """For people: ``closed``, ``open``, ``avoided`` (open, and it answers) or ``probing``."""
        if self._shut is None:
            return "closed"
        if self._probing:
            return "probing"
        return "open" if self._shut is Status.CLOSED else "avoided"

    async def __call__(self, request: Request, service: Service[Request, Response], /) -> Response:
        probe = False
        if self._shut is not None:
            probe = self._begin()
        recovered = self._recovered
        try:
            response = await service(request)
        except BaseException as error:
            # Having waited in vain says nothing of an instance that has come back meanwhile.
            if recovered == self._recovered or not isinstance(error, AttemptTimeout):
                self._raised(probe, error)
            raise
        if response.body.__class__ is not bytes and isinstance(response.body, Stream):
            return self._streaming(probe, response)
        if response.status < 500:
            if probe:
                self._close()
            self._rate.success(self._now())
        else:
            self._bad_answer(probe, response)
        return response

    def _begin(self) -> bool:
        """Let a call of an open breaker pass; True if it is the one that asks."""
        if not self._probing and self._now() >= self._probe_at:
            self._probing = True
            return True
        if self._shut is Status.CLOSED:
            detail = f"{self._instance or 'the instance'} does not answer and is left alone"
            raise BreakerOpen(detail, app=self._app)
        return False

    def _raised(self, probe: bool, error: BaseException) -> None:
        if isinstance(error, _SILENT):
            self._failure(probe, Status.CLOSED)
        elif probe:
            self._probing = False  # it said nothing; the next call asks again

    def _bad_answer(self, probe: bool, response: Response) -> None:
        # 501 speaks of the request. A pushback says that the instance turned work away in good
        # order, or (-1) that what failed lies behind it: leaving it alone would help neither.
        if response.status == 501:
            if probe:
                self._close()
            self._rate.success(self._now())
        elif response.headers.find(PUSHBACK) is None:
            self._failure(probe, Status.BUSY)
        elif probe:
            self._probing = False

    def _streaming(self, probe: bool, response: Response) -> Response:
        assert isinstance(response.body, Stream)
        if response.status >= 500:
            self._bad_answer(probe, response)
            return response
        if probe:  # it is well enough to answer; a stream may go on for hours
            self._close()
        response.body.on_end(self._stream_ended)
        return response

    def _stream_ended(self, error: BaseException | None) -> None:
        if error is None:
            self._rate.success(self._now())
        elif isinstance(error, _SILENT):
            self._failure(False, Status.CLOSED)

    def _failure(self, probe: bool, how: Status) -> None:
        now = self._now()
        self._rate.failure(now)
        if probe or (self._shut is None and self._is_failing()):
            self._open(now, how)

    def _is_failing(self) -> bool:
        rate, settings = self._rate, self.settings
        if rate.run >= settings.consecutive:
            return True
        volume = rate.good + rate.bad
        return volume >= settings.volume and rate.good < settings.success_rate * volume

    def _open(self, now: float, how: Status) -> None:
        if self._shut is None:
            self._opened.add()
        self._shut = how
        self._probing = False
        # Half of the wait is certain and half is chance, so that the clients of an instance
        # that comes back do not all ask at once.
        wait = min(self.settings.longest, self._wait)
        self._probe_at = now + wait * self._rng.uniform(0.5, 1.0)
        self._wait = 2.0 * wait

    def _close(self) -> None:
        self._shut = None
        self._recovered += 1
        self._probing = False
        self._wait = self.settings.reopen
        self._rate.reset(self._now())

    def __repr__(self) -> str:
        s = self.settings
        return (
            f"Breaker(success>={s.success_rate:.0%} of {s.volume:g}+ over {s.window:g} s, "
            f"or {s.consecutive} in a row, probe after {s.reopen:g}–{s.longest:g} s)"
        )
