"""The lifespan protocol, from both sides: we speak it to the apps we mount, servers to ours.

Source: the ASGI specification, Lifespan 2.0.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from skerry.core.errors import ConfigError

from .asgi import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("skerry.app")


class Lifespan:
    """The lifespan of one mounted app, run beside our own.

    An app that does not speak the protocol raises at once, and is left alone, as the
    specification asks.

    Attributes:
        state: what the app put into its scope's ``state``, for its requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._outbox: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())
        answer = await self._ask("startup")
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            raise ConfigError(f"a mounted app did not start: {answer.get('message', '')}")

    async def stop(self) -> None:
        if self._task is not None and not self._task.done():
            await self._ask("shutdown")
            await asyncio.wait([self._task], timeout=1.0)
            self._task.cancel()

    async def _ask(self, what: str) -> Message | None:
        assert self._task is not None
        await self._inbox.put({"type": f"lifespan.{what}"})
        answer = asyncio.ensure_future(self._outbox.get())
        await asyncio.wait([answer, self._task], return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        return None

    async def _run(self) -> None:
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self.state}
        receive: Receive = self._inbox.get
        send: Send = self._outbox.put
        try:
            await self._app(scope, receive, send)
        except Exception:
            return


async def answer_lifespan(
    name: str,
    start: Callable[[], Awaitable[None]],
    stop: Callable[[], Awaitable[None]],
    receive: Receive,
    send: Send,
) -> None:
    """Start and stop an app when its server says so.

    Args:
        name: of the app, for its log.
    """
    await receive()
    try:
        await start()
    except Exception as error:
        if not isinstance(error, ConfigError):
            log.exception("%s did not start", name)
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    try:
        await stop()
    except Exception as error:
        log.exception("%s did not close its resources", name)
        await send({"type": "lifespan.shutdown.failed", "message": str(error)})
        return
    await send({"type": "lifespan.shutdown.complete"})
