"""Work by the clock, once in the fleet however many instances there are.

One instance leads: it publishes a *tick* when a schedule is due, and the tick is an event like
any other: some instance handles it, it is tried again, and a dead one can be redriven.

To lead is to hold the *token*: a message that goes round in a queue of its own. Its key is
always the same, so only one delivery of it is out in the whole fleet (that is what drivers
promise); its lease passes on when the leader dies. It carries when each schedule last ticked: a
time that passed while nobody led is made up for, once, by whoever leads next.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import math
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct

from skerry.core.clock import Clock, system
from skerry.core.errors import CallError, ConfigError

from .driver import Delivery, Driver, LeaseLost, Subscription
from .event import EventType
from .message import Message, new_id

log = logging.getLogger("skerry.bus")

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_LEASE = 15.0
_LEAST = 0.1
_BROKER_GONE = 1.0


class Tick(Struct):
    """What a scheduled function may ask for.

    Attributes:
        at: the moment it was due.
    """

    at: datetime


class Times(Protocol):
    """Moments, in Unix seconds."""

    def after(self, moment: float) -> float:
        """The first one after ``moment``."""
        ...

    def latest(self, moment: float) -> float:
        """The last one that is not after ``moment``."""
        ...


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a function is to run.

    Attributes:
        app: whose it is.
        name: the function's.
        text: as it was written, for people.
    """

    app: str
    name: str
    times: Times
    text: str

    @property
    def event(self) -> EventType:
        return EventType(f"skerry.tick.{self.app}.{self.name}".replace("_", "-"), 1, Tick)


@dataclass(frozen=True, slots=True)
class Interval:
    """The multiples of some seconds: all instances, and all runs of the fleet, mean the same."""

    seconds: float

    def after(self, moment: float) -> float:
        number = math.floor(moment / self.seconds) + 1
        found = number * self.seconds
        return found if found > moment else (number + 1) * self.seconds

    def latest(self, moment: float) -> float:
        number = math.floor(moment / self.seconds)
        found = (number + 1) * self.seconds
        return found if found <= moment else number * self.seconds


def every(text: str) -> Interval:
    """``10m``, ``1h30m``, ``250ms`` as an interval.

    Raises:
        ConfigError: it is no such text, or shorter than a tenth of a second.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ConfigError(f"{text!r} is no interval; write it like '30s', '10m' or '1h30m'")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds < _LEAST:
        raise ConfigError(f"{text!r} is too often; the least is {_LEAST:g} s")
    return Interval(seconds)


@dataclass(frozen=True, slots=True)
class Cron:
    """The moments of a crontab line, in a time zone; daylight saving as Debian's cron has it."""

    expression: str
    zone: tzinfo

    def after(self, moment: float) -> float:
        return self._next(moment, False)

    def latest(self, moment: float) -> float:
        return self._next(moment + 1, True)

    def _next(self, moment: float, reverse: bool) -> float:
        start = datetime.fromtimestamp(moment, self.zone)
        return float(next(_library().CronSim(self.expression, start, reverse)).timestamp())


def cron(expression: str, zone: str = "UTC") -> Cron:
    """A crontab line in a time zone.

    Raises:
        ConfigError: one of the two is not what it should be, or the library is missing.
    """
    try:
        found = Cron(expression, UTC if zone == "UTC" else ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"{zone!r} is no time zone") from None
    try:
        found.after(time.time())
    except StopIteration:
        raise ConfigError(f"{expression!r} never comes") from None
    except _library().CronSimError as error:
        raise ConfigError(f"{expression!r} is no cron schedule: {error}") from None
    return found


def _library() -> Any:
    """cronsim, which knows crontab's corners and is imported when a line is."""
    try:
        import cronsim
    except ImportError:
        raise ConfigError("cron schedules need a library: pip install 'skerry[cron]'") from None
    return cronsim


class _Token(Struct):
    """When each schedule last ticked, by its name."""

    last: dict[str, float] = {}


class Scheduler:
    """Leads, when it is this instance's turn.

    Args:
        app: whose schedules these are; each app has a leader of its own.
    """

    def __init__(
        self, app: str, driver: Driver, schedules: Iterable[Schedule], clock: Clock = system
    ) -> None:
        self._driver = driver
        self._schedules = {schedule.name: schedule for schedule in schedules}
        self._clock = clock
        self._topic = f"skerry.leader.{app}"
        self._app = app
        self.subscription = Subscription(f"{app}.schedules", (self._topic,), lease=_LEASE)
        self._last: dict[str, float] | None = None
        self._expected = ""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take part, until ``stop``. The subscription must have been declared."""
        self._task = asyncio.create_task(self._run(), context=contextvars.Context())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            try:
                await self._seed()
                async with self._driver.consume(self.subscription, 1) as deliveries:
                    async for token in deliveries:
                        await self._lead(token)
            except CallError as error:
                log.warning("%s.schedules: %s", self._app, error)
            except LeaseLost:
                log.warning("%s.schedules: another leads by now", self._app)
            except Exception:
                log.exception("%s.schedules: trying again", self._app)
            self._last = None
            await self._clock.sleep(_BROKER_GONE)

    async def _seed(self) -> None:
        """Put a token in, where there seems to be none. Two are one too many and do no harm."""
        for queue in await self._driver.queues([self.subscription.name]):
            if not (queue.ready + queue.delayed + queue.leased):
                await self._driver.publish([self._token({})])

    async def _lead(self, token: Delivery) -> None:
        """Hold a token until something is due; then put the next one in, and it away."""
        known = msgspec.json.decode(token.message.body, type=_Token).last
        if self._last is None:  # this instance leads from now on
            log.info("%s: this instance publishes its schedules", self._app)
            self._last = known
        else:
            self._last = {**known, **self._last}
            if token.message.id != self._expected:
                await token.ack()
                return
        try:
            ticks = await self._due(self._last, token)
        except asyncio.CancelledError:
            # Whatever comes of that, this is the end: nothing may take the cancellation's place.
            with contextlib.suppress(LeaseLost, CallError):
                await asyncio.shield(token.retry(0.0, counts=False))
            raise
        following = self._token(self._last)
        await self._driver.publish([*ticks, following])
        self._expected = following.id
        await token.ack()

    async def _due(self, last: dict[str, float], token: Delivery) -> list[Message]:
        """The ticks of what is due next, when it is; ``last`` knows of them then."""
        now = self._clock.wall()
        for name in last.keys() - self._schedules.keys():
            del last[name]
        for name in self._schedules.keys() - last.keys():
            last[name] = now  # a new schedule begins with its next moment
        moments = {name: self._schedules[name].times.after(at) for name, at in last.items()}
        await self._wait_until(min(moments.values()), token)
        now = self._clock.wall()
        ticks: list[Message] = []
        for name, moment in moments.items():
            if moment <= now:
                schedule = self._schedules[name]
                last[name] = schedule.times.latest(now)  # what was missed is made up for once
                ticks.append(self._tick(schedule, last[name]))
        return ticks

    async def _wait_until(self, moment: float, token: Delivery) -> None:
        while (left := moment - self._clock.wall()) > 0:
            await self._clock.sleep(min(left, _LEASE / 3))
            await token.extend()

    def _tick(self, schedule: Schedule, moment: float) -> Message:
        at = datetime.fromtimestamp(moment, UTC)
        event = schedule.event
        # Whoever publishes it, it is the same tick: where there is an inbox, it runs once.
        return Message(
            f"{self._app}.{schedule.name}@{at.isoformat()}",
            event.topic,
            event.version,
            event.codec.encode(Tick(at)),
            source=self._app,
            time=self._clock.wall(),
        )

    def _token(self, last: Mapping[str, float]) -> Message:
        now = self._clock.wall()
        body = msgspec.json.encode(_Token(dict(last)))
        return Message(new_id(now), self._topic, 1, body, key="leader", source=self._app, time=now)
