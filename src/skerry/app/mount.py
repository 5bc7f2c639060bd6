"""Other people's apps inside ours: any ASGI app, and WSGI apps through a2wsgi.

a2wsgi is Starlette's own recommendation for this since it dropped its ``WSGIMiddleware``; it
streams both ways and runs the app in threads.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any, cast

from skerry.core.errors import ConfigError

from .asgi import ASGIApp, Message, Receive, Scope, Send


def as_asgi(app: Any, workers: int = 10) -> ASGIApp:
    """``app`` as ASGI, whichever of the two it is.

    Raises:
        ConfigError: it is neither, or it is WSGI and a2wsgi is not installed.
    """
    if not callable(app):
        raise ConfigError(f"only an ASGI or WSGI app can be mounted, not {app!r}")
    call = app if inspect.isfunction(app) or inspect.ismethod(app) else type(app).__call__
    if inspect.iscoroutinefunction(call):
        asgi: ASGIApp = app
        return asgi
    try:
        from a2wsgi import WSGIMiddleware
    except ImportError:
        raise ConfigError(
            f"{app!r} is a WSGI app; to mount it, install a2wsgi: pip install 'skerry[wsgi]'"
        ) from None
    return cast(ASGIApp, WSGIMiddleware(app, workers=workers))


class Mounts:
    """A table of mounted apps, the longest prefix first."""

    def __init__(self) -> None:
        self._mounts: list[tuple[str, ASGIApp]] = []

    def add(self, path: str, app: Any) -> None:
        if not path.startswith("/"):
            raise ConfigError(f"a mount's path begins with '/': {path!r} does not")
        prefix = path.rstrip("/")
        if any(prefix == known for known, _ in self._mounts):
            raise ConfigError(f"two apps are mounted at {path!r}")
        self._mounts.append((prefix, as_asgi(app)))
        self._mounts.sort(key=lambda mount: len(mount[0]), reverse=True)

    def __iter__(self) -> Iterator[tuple[str, ASGIApp]]:
        return iter(self._mounts)

    def __bool__(self) -> bool:
        return bool(self._mounts)

    def find(self, path: str) -> tuple[str, ASGIApp] | None:
        for prefix, app in self._mounts:
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
                return prefix, app
        return None


def below(scope: Scope, prefix: str) -> Scope:
    """``scope`` as the app mounted at ``prefix`` is to see it: ``root_path`` grows, ``path``
    stays whole (ASGI, HTTP connection scope)."""
    return {**scope, "root_path": scope.get("root_path", "") + prefix}


class Lifespan:
    """The lifespan of one mounted app, run beside our own.

    An app that does not speak the lifespan protocol raises at once, and is left alone, as the
    ASGI specification asks.
    """

    def __init__(self, app: ASGIApp) -> None:
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
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        receive: Receive = self._inbox.get
        send: Send = self._outbox.put
        try:
            await self._app(scope, receive, send)
        except Exception:
            return
