"""Publishes what transactions have left in the outbox, as soon as they have committed.

It is woken by commits of its own process, and looks by itself for those of others: often for a
moment after there was something, then every second. A row is marked only after the broker has
accepted it; whoever dies in between leaves it to be published again, and the inbox to notice.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import secrets
import socket
from collections.abc import Sequence
from itertools import groupby

from skerry.core.clock import Clock, system
from skerry.core.errors import CallError, Unconfirmed
from skerry.core.failpoint import hit
from skerry.data.outbox import Claim, Outbox
from skerry.data.records import Record
from skerry.data.transient import unreachable
from skerry.telemetry.metrics import Metrics

from .driver import Driver
from .message import Message
from .relaying import RelaySettings

log = logging.getLogger("skerry.bus")

_SOON = 0.01  # seconds; doubled each time nothing was there
_FIRST_BACKOFF = 0.1
_CLEAN_EVERY = 60.0


class Relay:
    """The relay of one app in one instance; all instances of an app have one.

    Args:
        app: whose outbox it is, for logs and metrics.

    Attributes:
        who: its name among the others.
        trouble: why it does not get on just now; None while all is well.
    """

    def __init__(
        self,
        outbox: Outbox,
        driver: Driver,
        *,
        app: str,
        settings: RelaySettings | None = None,
        metrics: Metrics | None = None,
        clock: Clock = system,
    ) -> None:
        self.who = f"{app}@{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.trouble: str | None = None
        self._app = app
        self._outbox = outbox
        self._driver = driver
        self._settings = settings or RelaySettings()
        self._clock = clock
        self._relayed = (metrics or Metrics()).counter(
            "skerry_outbox_relayed", "Events published from the outbox.", app=app
        )
        self._held: dict[int, Claim] = {}  # claimed by us, and not yet accepted
        self._accepted: list[int] = []  # and not yet marked
        self._clean_at = 0.0
        self._stopping = False
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in this event loop, until ``stop``."""
        name = f"relay {self._app}"
        self._task = asyncio.create_task(self._run(), name=name, context=contextvars.Context())

    async def stop(self, patience: float) -> None:
        """Publish what has been committed, for up to ``patience`` seconds, and end."""
        if self._task is None:
            return
        self._stopping = True
        self._woken.set()
        _, late = await asyncio.wait([self._task], timeout=patience)
        for task in late:
            task.cancel()
            await asyncio.wait([task])
        try:
            async with asyncio.timeout(max(1.0, patience)):
                await self._settle()
        except Exception as error:
            log.warning("%s: the outbox is left to others: %s", self._app, _line(error))

    async def waiting(self) -> tuple[int, float]:
        """How many events wait to be published, and the seconds since the oldest was composed."""
        found = await self._outbox.waiting()
        age = 0.0 if found.oldest is None else max(0.0, self._clock.wall() - found.oldest)
        return found.count, age

    async def relay(self) -> int:
        """Publish one batch; how many that was."""
        deadline = asyncio.get_running_loop().time() + self._settings.lease
        await self._settle()
        claims = await self._outbox.claim(self._settings.batch, self.who, self._settings.lease)
        if not claims:
            return 0
        hit("relay.after_claim")
        self._held = {claim.seq: claim for claim in claims}
        try:
            async with asyncio.timeout_at(deadline):
                await self._publish(claims)
        except TimeoutError:
            await self._settle()
            raise Unconfirmed("the broker took longer than the claim on a batch") from None
        except CallError:
            await self._settle()
            raise
        done = len(self._accepted)
        await self._settle()
        return done

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        # A loop that is closed without ``stop`` is nobody's to wake.
        stop_listening = self._outbox.on_commit(
            lambda: loop.is_closed() or loop.call_soon_threadsafe(self._woken.set)
        )
        try:
            await self._relay_on()
        finally:
            stop_listening()

    async def _relay_on(self) -> None:
        pause, backoff = _SOON, _FIRST_BACKOFF
        while True:
            self._woken.clear()
            last = self._stopping  # before this round looks: what was there then is published
            try:
                done = await self.relay()
                await self._clean()
            except Exception as error:
                self._failed(error)
                if last:
                    return
                await self._clock.sleep(backoff)
                backoff = min(self._settings.backoff, 2 * backoff)
                continue
            self._went_well()
            backoff = _FIRST_BACKOFF
            if done:
                pause = _SOON
            elif last:
                return
            else:
                woken = await self._wait(pause)
                pause = _SOON if woken else min(self._settings.poll, 2 * pause)

    async def _wait(self, seconds: float) -> bool:
        """Until a commit, for so long at most; whether there was one."""
        in_vain = False

        def ring() -> None:
            nonlocal in_vain
            in_vain = True
            self._woken.set()

        timer = self._clock.call_at(self._clock.now() + seconds, ring)
        try:
            await self._woken.wait()
        finally:
            timer.cancel()
        return not in_vain

    async def _publish(self, claims: Sequence[Claim]) -> None:
        now = self._clock.wall()
        stuck: set[str] = set()

        def due(claim: Claim) -> float:
            return max(claim.record.due or 0.0, now)

        for when, batch in groupby(claims, due):
            await self._send(list(batch), when - now, stuck)

    async def _send(self, claims: list[Claim], delay: float, stuck: set[str]) -> None:
        """Publish these, but for those of keys that are ``stuck``.

        A record that this driver cannot publish must not hold up all others: it is found by
        publishing one by one, and stays claimed, so that it is left alone for a while, and its
        key with it.
        """
        claims = [claim for claim in claims if claim.record.key not in stuck]
        if not claims:
            return
        try:
            await self._driver.publish(
                [message_of(c.record, self._app) for c in claims], delay=delay
            )
        except CallError:
            raise
        except Exception as error:
            if len(claims) > 1:
                for claim in claims:
                    await self._send([claim], delay, stuck)
                return
            (claim,) = claims
            stuck |= {claim.record.key} - {""}
            del self._held[claim.seq]
            log.error(  # noqa: TRY400
                "%s: %s of %s cannot be published: %s",
                self._app,
                claim.record.id,
                claim.record.topic,
                _line(error),
                exc_info=error,
            )
        else:
            self._relayed.add(len(claims))
            for claim in claims:
                del self._held[claim.seq]
                self._accepted.append(claim.seq)

    async def _settle(self) -> None:
        """Mark what was accepted, and give back what was not; if that fails, it is kept."""
        if self._accepted:
            hit("relay.after_confirm")
            await self._outbox.sent(self._accepted)
            hit("relay.after_mark")
            self._accepted = []
        if self._held:
            await self._outbox.release(self._held, self.who)
            self._held = {}

    async def _clean(self) -> None:
        if self._clock.now() >= self._clean_at and not await self._outbox.clean(
            self._settings.kept
        ):
            self._clean_at = self._clock.now() + _CLEAN_EVERY

    def _failed(self, error: Exception) -> None:
        if self.trouble is None:
            expected = isinstance(error, CallError) or unreachable(error)
            log.warning(
                "%s: the outbox waits: %s",
                self._app,
                _line(error),
                exc_info=None if expected else error,
            )
        self.trouble = _line(error)

    def _went_well(self) -> None:
        if self.trouble is not None:
            log.info("%s: the outbox is published again", self._app)
            self.trouble = None


def record_of(message: Message, due: float | None = None) -> Record:
    """What the outbox keeps of a message.

    Args:
        due: Unix seconds before which it is not to be handled.
    """
    m = message
    return Record(m.id, m.topic, m.version, m.body, m.key, m.source, m.time, m.headers, due)


def message_of(record: Record, app: str = "") -> Message:
    """The message that was put into the outbox; ``app`` is its source where it names none."""
    r = record
    return Message(r.id, r.topic, r.version, r.body, r.key, r.source or app, r.time, r.headers)


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0][:500]
