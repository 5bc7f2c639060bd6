"""Takes deliveries, has them handled, and ends each as its handler did.

How often and how far apart, what is given up and what is only put off, is decided here and
nowhere else; drivers only carry it out.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from skerry.core.context import attach
from skerry.core.errors import CallError
from skerry.core.failpoint import hit
from skerry.core.service import Service
from skerry.telemetry.metrics import Metrics

from .attempt import Attempt, GivenUp, Paused, Permanent
from .driver import Delivery, Driver, Failure, LeaseLost, Subscription
from .event import EventType
from .message import Undecodable, read

log = logging.getLogger("skerry.bus")

_LONGEST_STACK = 20_000
_BROKER_GONE = 1.0


@dataclass(frozen=True, slots=True)
class Retries:
    """How often an event is tried, and how far apart.

    Attributes:
        attempts: in all; then it is buried.
        first: seconds before the second attempt, doubled before each later one.
        longest: seconds at most.
        jitter: the part of each wait that is left to chance, so that what failed together does
            not come back together.
    """

    attempts: int = 5
    first: float = 1.0
    longest: float = 600.0
    jitter: float = 0.5

    def delay(self, attempt: int, chance: float) -> float:
        """Seconds to wait after ``attempt`` has failed; ``chance`` is from 0 to 1."""
        full = min(self.longest, self.first * 2.0 ** min(attempt - 1, 60))
        return full * (1.0 - self.jitter * chance)


@dataclass(frozen=True, slots=True)
class HandlerSettings:
    """How a handler is fed.

    Attributes:
        concurrency: events it works on at the same time, in each instance.
        prefetch: deliveries that are out with each instance, those it works on among them; by
            default twice as many.
        lease: seconds after which an instance that says nothing is taken for dead.
        retries: see there.
    """

    concurrency: int = 8
    prefetch: int | None = None
    lease: float = 30.0
    retries: Retries = Retries()


class Consumer:
    """The loop of one handler in one instance.

    Args:
        kinds: the events it handles, by topic and version.
        service: the consumer's stack around the handler.
        permanent: exceptions that more attempts would not help.
    """

    def __init__(
        self,
        driver: Driver,
        subscription: Subscription,
        kinds: Mapping[str, dict[int, EventType]],
        service: Service[Attempt, None],
        settings: HandlerSettings = HandlerSettings(),
        *,
        permanent: tuple[type[Exception], ...] = (),
        metrics: Metrics | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.subscription = subscription
        self._driver = driver
        self._kinds = kinds
        self._service = service
        self._settings = settings
        self._permanent: tuple[type[Exception], ...] = (Permanent, Undecodable, GivenUp, *permanent)
        self._metrics = metrics
        self._chance = chance
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to take deliveries, until ``stop``."""
        name = f"consumer {self.subscription.name}"
        self._loop = asyncio.create_task(self._take(), name=name, context=contextvars.Context())

    async def stop(self, patience: float) -> None:
        """Take no more; what is still worked on after ``patience`` seconds is given back."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=patience)

    async def _take(self) -> None:
        prefetch = self._settings.prefetch or 2 * self._settings.concurrency
        while True:
            try:
                async with self._driver.consume(self.subscription, prefetch) as deliveries:
                    async for delivery in deliveries:
                        task = asyncio.create_task(self._end_with_handler(delivery))
                        self._tasks.add(task)
                        task.add_done_callback(self._done)
            except CallError as error:
                log.warning("%s: %s", self.subscription.name, error)
            except Exception:
                log.exception("%s takes no deliveries; trying again", self.subscription.name)
            await asyncio.sleep(_BROKER_GONE)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: %r", self.subscription.name, error, exc_info=error)

    async def _end_with_handler(self, delivery: Delivery) -> None:
        try:
            await self._handle(delivery)
        except LeaseLost as error:
            log.warning("%s: %s: %s", self.subscription.name, delivery.message.id, error)
        except CallError as error:  # the broker has gone, and will deliver it again
            log.warning("%s: %s: %s", self.subscription.name, delivery.message.id, error)

    async def _handle(self, delivery: Delivery) -> None:
        message = delivery.message
        attempt = Attempt(delivery, None, self.subscription.name)
        try:
            attach(message.context())
            attempt.event = read(message, self._kinds.get(message.topic, {}))
            await self._service(attempt)
        except LeaseLost:
            raise
        except Paused as paused:
            await self._put_off(attempt, paused.delay)
        except asyncio.CancelledError:
            await asyncio.shield(self._put_off(attempt, 0.0))
            raise
        except Exception as error:
            await self._failed(delivery, attempt, error)
        else:
            hit("consumer.before_ack")
            await delivery.ack()
            hit("consumer.after_ack")

    async def _put_off(self, attempt: Attempt, delay: float) -> None:
        """Nothing was tried: it is as if it had not been delivered."""
        if attempt.held is not None and not attempt.written:
            await self._tell(attempt.held.release(counts=False))
        await attempt.delivery.retry(delay, counts=False)

    async def _failed(self, delivery: Delivery, attempt: Attempt, error: Exception) -> None:
        message, retries = delivery.message, self._settings.retries
        permanent = isinstance(error, self._permanent)
        if permanent or attempt.number >= retries.attempts:
            log.error(
                "%s: %s of %s is dead after %d attempts: %s",
                self.subscription.name,
                message.id,
                message.topic,
                attempt.number,
                _line(error),
                exc_info=None if isinstance(error, Undecodable) else error,
            )
            await delivery.bury(failure_of(error, permanent))
            hit("consumer.after_bury")
            if attempt.held is not None:
                await self._tell(attempt.held.give_up())
            self._count("skerry_dead_letters", "Events that handlers have given up.")
            return
        delay = retries.delay(attempt.number, self._chance())
        log.warning(
            "%s: %s of %s failed (attempt %d, again in %.3g s): %s",
            self.subscription.name,
            message.id,
            message.topic,
            attempt.number,
            delay,
            _line(error),
        )
        if attempt.held is not None:
            await self._tell(attempt.held.release(counts=True))
        await delivery.retry(delay)
        self._count("skerry_event_retries", "Attempts at events that failed and are made again.")

    async def _tell(self, telling: Awaitable[None]) -> None:
        """Tell the inbox how an attempt has ended. A database that is away finds that out when the
        lease is over; the broker has to know in any case."""
        try:
            await telling
        except Exception as error:
            log.warning("%s: the inbox was not told: %s", self.subscription.name, _line(error))

    def _count(self, name: str, help: str) -> None:
        if self._metrics is not None:
            self._metrics.counter(name, help, handler=self.subscription.name).add()


def failure_of(error: BaseException, permanent: bool) -> Failure:
    """What dead letters keep of an exception."""
    stack = "".join(traceback.format_exception(error))
    if len(stack) > _LONGEST_STACK:  # its end says where; its beginning, how it came there
        stack = stack[: _LONGEST_STACK // 4] + "\n…\n" + stack[-_LONGEST_STACK * 3 // 4 :]
    return Failure(_line(error), type(error).__qualname__, stack, permanent)


def _line(error: BaseException) -> str:
    text: Any = str(error).strip() or repr(error)
    return f"{type(error).__name__}: {text}".partition("\n")[0][:500]
