"""Puts what was asked and answered into the span, for those who have turned that on.

Not in the stacks of anybody else: it reads bodies that nobody else would.
"""

from __future__ import annotations

from skerry.bus.attempt import Attempt
from skerry.core.service import Service
from skerry.core.wire import Body, Request, Response, Stream
from skerry.telemetry.payload import PayloadSettings, query, told
from skerry.telemetry.spans import Span, here


class Payloads:
    """A filter directly below the one that makes the span.

    Args:
        failed: the first status that is a failure here: 500 on the side of whoever answers, 400 of
            whoever asks.
    """

    def __init__(self, settings: PayloadSettings, failed: int) -> None:
        self._settings = settings
        self._failed = failed

    async def __call__(self, request: Request, service: Service[Request, Response], /) -> Response:
        span = here()
        if span is None:
            return await service(request)
        copy = _Copy(request.body)
        try:
            response = await service(request)
        except BaseException:
            self._tell(span, request, copy, None)
            raise
        if self._settings.when == "all" or response.status >= self._failed:
            self._tell(span, request, copy, response)
        return response

    def _tell(self, span: Span, request: Request, copy: _Copy, response: Response | None) -> None:
        length = self._settings.length
        asked = told(request.headers.raw, copy.content, length)
        if request.query:
            asked["query"] = query(request.query)
        span.note("request", dict(asked))
        if response is not None:
            body = response.body if isinstance(response.body, bytes) else None
            span.note("response", dict(told(response.headers.raw, body, length)))

    def __repr__(self) -> str:
        return f"Payloads({self._settings.when})"


class EventPayloads:
    """The same for handlers: the event, as it came."""

    def __init__(self, settings: PayloadSettings) -> None:
        self._settings = settings

    async def __call__(self, attempt: Attempt, service: Service[Attempt, None], /) -> None:
        span = here()
        try:
            await service(attempt)
        except BaseException:
            self._tell(span, attempt)
            raise
        if self._settings.when == "all":
            self._tell(span, attempt)

    def _tell(self, span: Span | None, attempt: Attempt) -> None:
        if span is not None:
            said = [(b"content-type", b"application/json")]
            event = told(said, attempt.message.body, self._settings.length)
            span.note("event", {"id": attempt.message.id, "body": event.get("body", "")})

    def __repr__(self) -> str:
        return f"EventPayloads({self._settings.when})"


class _Copy:
    """What somebody else reads of a body, read along."""

    def __init__(self, body: Body) -> None:
        self._chunks: list[bytes] = []
        if isinstance(body, Stream):
            body.watch(self._chunks.append)
        else:
            self._chunks.append(body)

    @property
    def content(self) -> bytes:
        """All of it that has been read."""
        return b"".join(self._chunks)
