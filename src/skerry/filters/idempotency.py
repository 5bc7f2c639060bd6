"""What is asked for with one ``Idempotency-Key`` is done once, and answered the same each time.

After draft-ietf-httpapi-idempotency-key-header: a key is missing (400), in flight (409), another
request's (422), or answered: then the answer is given again, byte for byte. Whether somebody is
at it, and what came of it, is in the app's database; see ``skerry.data.idempotency``.

A function that works in a transaction has its answer kept in that same one (``Keyed.write``), so
that one cannot be without the other. Any other function's answer is kept when it is there: a
crash in between means that the work is done again, by whoever comes after the lease. Such a
function hands on keys derived from its own (``Idempotency.derive``).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid4, uuid5

from skerry.core.answer import answer
from skerry.core.clock import Clock, system
from skerry.core.errors import (
    BadRequest,
    IdempotencyKeyInFlight,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    Internal,
    Overloaded,
    Problem,
)
from skerry.core.failpoint import hit
from skerry.core.service import Service
from skerry.core.wire import Headers, Request, Response
from skerry.data.answers import Asked, Fenced, Found, InFlight, Reused, Stored, Unavailable
from skerry.telemetry.metrics import Metrics

from .numbers import refuse_odd

log = logging.getLogger("skerry.app")

HEADER = "idempotency-key"
LONGEST = 255
PATTERN = r'^(?:[!#-~][!-~]{0,254}|"(?:[!#-\[\]-~]|\\["\\]){1,255}")$'
"""A key as it is sent: visible ASCII, bare or as a string of RFC 9651 (3.3.3)."""

_KEY = re.compile(PATTERN.replace("$", r"\Z"))
_BEATS = 3  # in each lease, so that one may be late and one may be lost
_SOON = 1.0  # seconds after which to ask again what is being worked on
_NOT_NOW = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class IdempotencySettings:
    """How an app's idempotent endpoints remember what they have done.

    Attributes:
        kept: seconds for which an answer is given again; after that its key is new.
        lease: seconds of silence after which whoever works on a request counts as dead.
        caller: says who asks, so that keys of one are not those of another: a tenant, an
            account. It must be the same for a caller however often it asks (not an address,
            nor a token that is renewed). Without it, all who ask are one.
    """

    kept: float = 86_400.0
    lease: float = 10.0
    caller: Callable[[Request], str] | None = None

    def __post_init__(self) -> None:
        refuse_odd(self, "kept", "lease")


class Idempotency:
    """What an idempotent endpoint may ask for: the key of its request, and keys to hand on.

    Attributes:
        key: the caller's, without quotes; empty if there is none.
    """

    __slots__ = ("_name", "key")

    def __init__(self, key: str = "", scope: str = "") -> None:
        self.key = key
        self._name = f"{scope}:{key}" if key else uuid4().hex

    def derive(self, purpose: str = "") -> str:
        """A key to hand on with what is done elsewhere: the same however often this request
        comes, and no other's.

        Args:
            purpose: tells calls apart where a function makes several.
        """
        return str(uuid5(NAMESPACE_URL, f"skerry:{self._name}:{purpose}"))

    def __repr__(self) -> str:
        return f"Idempotency({self.key!r})"


class Answers(Protocol):
    """Where answers are kept; ``skerry.data.idempotency.Answers``."""

    async def claim(self, asked: Asked, token: str, lease: float, kept: float, /) -> Found: ...
    async def extend(self, asked: Asked, token: str, lease: float, /) -> None: ...
    async def write(self, asked: Asked, token: str, work: Any, /) -> Response: ...
    async def keep(self, asked: Asked, token: str, response: Response, /) -> None: ...
    async def release(self, asked: Asked, token: str, /, *, forget: bool) -> None: ...


class Keyed:
    """A request that is ours to answer, while it is being worked on.

    Attributes:
        working: whether its endpoint is at it.
        begun: whether the function has been called; what is refused before is not its answer.
        stored: whether its answer is kept.
        lost: whether it is somebody else's by now.
        left: whether whoever asked has stopped waiting.
    """

    __slots__ = (
        *("answers", "asked", "token", "idempotency"),
        *("begun", "left", "lost", "stored", "working"),
    )

    def __init__(self, answers: Answers, asked: Asked) -> None:
        self.answers = answers
        self.asked = asked
        self.token = secrets.token_hex(8)
        self.idempotency = Idempotency(asked.key, asked.scope)
        self.begun = self.left = self.lost = self.stored = self.working = False

    async def write(self, work: Callable[[Any], Response]) -> Response:
        """``work(session)`` in the transaction that keeps the answer it returns.

        Raises:
            IdempotencyKeyInFlight: it took too long and another has begun; nothing was written.
        """
        try:
            response = await self.answers.write(self.asked, self.token, work)
        except Fenced:
            self.lost = True
            raise IdempotencyKeyInFlight from None
        self.stored = True
        hit("keys.after_commit")
        return response


keyed: ContextVar[Keyed | None] = ContextVar("skerry_keyed", default=None)
"""The request that the running task answers, if it came with a key."""


class Idempotent:
    """The filter of one idempotent endpoint.

    Args:
        answers: where they are kept; None in an app that does not run.
        app, method, path: the scope of its keys, with the caller.
        required: whether a key must be given.
        finishes: whether the function goes on when its caller leaves, as plain ones do: then its
            answer is kept for when that caller comes again.
        read: the whole body of a request.
        tasks: what still works when its caller has left, for whoever stops the app.
    """

    def __init__(
        self,
        answers: Answers | None,
        settings: IdempotencySettings,
        metrics: Metrics,
        *,
        app: str,
        method: str,
        path: str,
        required: bool,
        finishes: bool,
        read: Callable[[Request], Awaitable[bytes]],
        tasks: set[asyncio.Task[Response]],
        clock: Clock = system,
    ) -> None:
        self._answers = answers
        self._settings = settings
        self._scope = app, method, path
        self._operation = f"{method} {path}"
        self._required = required
        self._finishes = finishes
        self._read = read
        self._tasks = tasks
        self._clock = clock
        self._replays = metrics.counter(
            "skerry_idempotent_replays",
            "Answers that were given again, by their Idempotency-Key.",
            app=app,
            operation=self._operation,
        )

    async def __call__(self, request: Request, service: Service[Request, Response], /) -> Response:
        try:
            key = key_of(request.headers)
            if key is None and self._required:
                raise IdempotencyKeyMissing(
                    detail="Send a key of your own making, and the same one to try again."
                )
            if key is not None:
                request.body = body = await self._read(request)
                asked = self._asked(request, key, body)
        except Problem as error:
            return answer(error)
        if key is None:
            return await service(request)
        assert self._answers is not None
        held = Keyed(self._answers, asked)
        task = asyncio.create_task(self._answered(held, request, service))
        self._tasks.add(task)
        task.add_done_callback(self._over)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            held.left = True
            if held.working and not self._finishes:
                task.cancel()
            raise
        except Exception:  # told by `_over`
            return answer(Internal())

    def _asked(self, request: Request, key: str, body: bytes) -> Asked:
        caller = self._settings.caller
        who = "" if caller is None else caller(request)
        return Asked(
            scope=_digest(*self._scope, who),
            key=key,
            operation=self._operation,
            fingerprint=_digest(request.method, request.path, request.query, body),
        )

    async def _answered(
        self, held: Keyed, request: Request, service: Service[Request, Response]
    ) -> Response:
        settings = self._settings
        hit("keys.before_claim")
        try:
            found = await held.answers.claim(held.asked, held.token, settings.lease, settings.kept)
        except Unavailable as error:
            log.warning("%s: %s", self._operation, error)
            return answer(Overloaded(detail="What has been done cannot be looked up right now."))
        match found:
            case Stored(response):
                self._replays.add()
                return response
            case InFlight(seconds):
                return answer(IdempotencyKeyInFlight(retry_after=min(seconds, _SOON)))
            case Reused():
                said = "It came with another body, query or path before."
                return answer(IdempotencyKeyReused(detail=said))
        hit("keys.after_claim")
        try:
            if held.left:  # nobody waits, and nothing has been done
                return answer(IdempotencyKeyInFlight())
            response = await self._work(held, request, service)
            if held.begun and lasting(response) and not (held.stored or held.lost):
                await self._keep(held, response)
            return answer(IdempotencyKeyInFlight()) if held.lost else response
        finally:
            if not (held.stored or held.lost):
                await self._release(held)

    async def _work(
        self, held: Keyed, request: Request, service: Service[Request, Response]
    ) -> Response:
        """The function's answer, while others are told that it is being worked on."""
        task = asyncio.current_task()
        assert task is not None
        keyed.set(held)
        beating = asyncio.create_task(self._beat(held, task))
        held.working = True
        try:
            response = await service(request)
        except asyncio.CancelledError:
            if not held.lost or task.uncancel():
                raise
            return answer(IdempotencyKeyInFlight())
        finally:
            held.working = False
            beating.cancel()
        if isinstance(response.body, bytes):
            return response
        await response.body.aclose()
        log.error("%s: a stream cannot be given again, so it is no answer here", self._operation)
        return answer(Internal())

    async def _keep(self, held: Keyed, response: Response) -> None:
        try:
            await held.answers.keep(held.asked, held.token, response)
        except Fenced:
            held.lost = True
        except Exception:  # it has been done, so who asked is to hear of it now, if never again
            log.exception("%s: its answer was not kept", self._operation)
        else:
            held.stored = True

    async def _release(self, held: Keyed) -> None:
        try:
            await held.answers.release(held.asked, held.token, forget=not held.begun)
        except Exception as error:  # the lease will be over some time
            log.warning("%s: its key was not released: %s", self._operation, error)

    async def _beat(self, held: Keyed, task: asyncio.Task[Any]) -> None:
        lease = self._settings.lease
        while True:
            await self._clock.sleep(lease / _BEATS)
            try:
                await held.answers.extend(held.asked, held.token, lease)
            except Fenced:
                if not self._finishes:  # others find out when they want to commit
                    held.lost = True
                    task.cancel()
                return
            except Exception as error:
                # The database may be back before the lease is over; if not, it will say so.
                log.warning("%s: its lease was not extended: %s", self._operation, error)

    def _over(self, task: asyncio.Task[Response]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", self._operation, exc_info=error)

    def __repr__(self) -> str:
        key = "required" if self._required else "accepted"
        return f"Idempotent(key {key}, kept {self._settings.kept / 3600:g} h)"


def lasting(response: Response) -> bool:
    """Whether this is the answer for good, and not one that trying again may better."""
    return response.status < 500 and response.status not in _NOT_NOW


def key_of(headers: Headers) -> str | None:
    """The key that a request came with; None for none.

    Raises:
        BadRequest: it is none that can be used.
    """
    sent = headers.get_all(HEADER)
    if not sent:
        return None
    text = sent[0].strip(" \t")
    if len(sent) > 1 or not _KEY.match(text):
        said = f"There is one Idempotency-Key, of 1 to {LONGEST} visible ASCII characters."
        raise BadRequest(detail=said)
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text[0] == '"' else text


def _digest(*parts: str | bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        whole.update(b"%d:" % len(raw))
        whole.update(raw)
    return whole.hexdigest()
