"""A call ends when its caller stops waiting, and nobody works for callers that have left.

The deadline is one moment for the whole call, retries and waiting included. It travels as time
left (``grpc-timeout``), because clocks of machines differ, and it only ever gets closer: each
app takes the earlier of what it was given and what it allows itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from skerry.core.answer import answer
from skerry.core.clock import Clock, system
from skerry.core.context import Context, attach, current, detach
from skerry.core.errors import DeadlineExceeded
from skerry.core.service import Service
from skerry.core.wire import Request, Response, Stream

from .numbers import refuse_odd
from .streams import limit
from .timeout import Timeout


@dataclass(frozen=True, slots=True)
class DeadlineSettings:
    """How long a call may take.

    Attributes:
        timeout: seconds for the whole call, until the first byte of the body; a deadline in
            the context may make it less.
        idle: seconds between two pieces of a body that is a stream; None for no limit.
    """

    timeout: float = 10.0
    idle: float | None = 60.0

    def __post_init__(self) -> None:
        refuse_odd(self, "timeout", "idle")


class ClientDeadline:
    """The caller's side: gives up at the deadline, and tells everything below when that is.

    Raises:
        DeadlineExceeded: the time is over; nothing is sent where it was over before.
    """

    def __init__(self, settings: DeadlineSettings, app: str = "", clock: Clock = system) -> None:
        self.settings = settings
        self._timeout = settings.timeout
        self._app = app
        self._clock = clock

    async def __call__(self, request: Request, service: Service[Request, Response], /) -> Response:
        now = self._clock.now()
        context = current()
        when = context.deadline
        token = None
        if when is None or when > now + self._timeout:
            when = now + self._timeout
            token = attach(Context(context.trace, when, context.criticality, context.baggage))
        elif when <= now:
            raise DeadlineExceeded(
                "no time was left for this call; nothing was sent", app=self._app
            )
        timeout = Timeout(when, self._clock)
        try:
            with timeout:
                response = await service(request)
        except TimeoutError as error:
            if not timeout.expired:
                raise
            waited = self._clock.now() - now
            raise DeadlineExceeded(f"no answer after {waited:.3g} s", app=self._app) from error
        finally:
            if token is not None:
                detach(token)
        if response.body.__class__ is not bytes and isinstance(response.body, Stream):
            limit(response.body, when, self.settings.idle, self._app, self._clock)
        return response

    def __repr__(self) -> str:
        return f"Deadline(timeout={self.settings.timeout:g} s, idle={_seconds(self.settings.idle)})"


class ServerDeadline:
    """The server's side: answers 504 when the time is over, and does not begin work after it.

    The caller's deadline is expected in the context, where ``extract`` has put it; calls that
    the endpoint makes find the earlier of that and its own there. Once an answer has begun
    there is no 504 to be given any more: how long a body may take is for the reader to say.
    """

    def __init__(self, timeout: float, app: str = "", clock: Clock = system) -> None:
        self.timeout = timeout
        self._app = app
        self._clock = clock

    async def __call__(self, request: Request, service: Service[Request, Response], /) -> Response:
        now = self._clock.now()
        context = current()
        when = context.deadline
        token = None
        if when is None or when > now + self.timeout:
            when = now + self.timeout
            token = attach(Context(context.trace, when, context.criticality, context.baggage))
        elif when <= now:
            return self._late("the caller had stopped waiting before the work began")
        timeout = Timeout(when, self._clock)
        try:
            with timeout:
                return await service(request)
        except TimeoutError:
            if not timeout.expired:
                raise
            return self._late(f"not done after {self._clock.now() - now:.3g} s")
        finally:
            if token is not None:
                detach(token)

    def _late(self, detail: str) -> Response:
        return answer(DeadlineExceeded(detail, app=self._app))

    def __repr__(self) -> str:
        return f"Deadline(timeout={self.timeout:g} s)"


def _seconds(value: float | None) -> str:
    return "no limit" if value is None else f"{value:g} s"
