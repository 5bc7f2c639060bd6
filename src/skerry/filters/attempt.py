"""One attempt may take less than the whole call, so that there is time left for another."""

from __future__ import annotations

from dataclasses import dataclass

from skerry.core.clock import Clock, system
from skerry.core.context import current
from skerry.core.errors import AttemptTimeout
from skerry.core.service import Service
from skerry.core.wire import Request, Response

from .numbers import refuse_odd
from .timeout import Timeout


@dataclass(frozen=True, slots=True)
class AttemptSettings:
    """How long one attempt may take.

    Attributes:
        timeout: seconds until the head of the answer.
    """

    timeout: float = 5.0

    def __post_init__(self) -> None:
        refuse_odd(self, "timeout")


class Attempt:
    """Gives up on an instance that does not answer.

    Where the deadline of the whole call comes first, this filter leaves it to that: too little
    time says something of the caller, and nothing of the instance.

    Raises:
        AttemptTimeout: no answer had begun in time.
    """

    def __init__(self, settings: AttemptSettings, app: str = "", clock: Clock = system) -> None:
        self.settings = settings
        self._timeout = settings.timeout
        self._app = app
        self._clock = clock

    async def __call__(self, request: Request, service: Service[Request, Response], /) -> Response:
        when = self._clock.now() + self._timeout
        deadline = current().deadline
        if deadline is not None and deadline <= when:
            return await service(request)
        timeout = Timeout(when, self._clock)
        try:
            with timeout:
                return await service(request)
        except TimeoutError as error:
            if not timeout.expired:
                raise
            detail = f"an attempt had no answer after {self._timeout:g} s"
            raise AttemptTimeout(detail, app=self._app) from error

    def __repr__(self) -> str:
        return f"Attempt(timeout={self._timeout:g} s)"
