"""Other people's apps inside ours: any ASGI app, and WSGI apps through a2wsgi.

a2wsgi is Starlette's own recommendation for this since it dropped its ``WSGIMiddleware``; it
streams both ways and runs the app in threads.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from skerry.core.clock import system
from skerry.core.context import attach, extract
from skerry.core.errors import ConfigError
from skerry.core.stack import Stack
from skerry.core.wire import Headers, Request, Response

from .asgi import ASGIApp, Receive, Scope, Send, request_of
from .passage import Passage


def as_asgi(app: Any, workers: int = 10) -> ASGIApp:
    """``app`` as ASGI, whichever of the two it is.

    Raises:
        ConfigError: it is neither, or it is WSGI and a2wsgi is not installed.
    """
    if isinstance(app, type):
        raise ConfigError(f"{app.__qualname__} is a class; mount an app made of it")
    if not callable(app):
        raise ConfigError(f"only an ASGI or WSGI app can be mounted, not {app!r}")
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__):
        asgi: ASGIApp = app
        return asgi
    try:
        from a2wsgi import WSGIMiddleware
    except ImportError:
        raise ConfigError(
            f"{app!r} is a WSGI app; to mount it, install a2wsgi: pip install 'skerry[wsgi]'"
        ) from None
    return cast(ASGIApp, WSGIMiddleware(app, workers=workers))


@dataclass(frozen=True, slots=True)
class Mount:
    """An app as it was mounted.

    Attributes:
        prefix: of the paths it answers; without a last slash.
        timeout: seconds until an answer of its must begin; None for the app's default.
    """

    prefix: str
    app: ASGIApp
    timeout: float | None

    @property
    def route(self) -> str:
        """What its series is called."""
        return self.prefix or "/"


def mount_at(path: str, app: Any, timeout: float | None, others: Iterable[Mount]) -> Mount:
    """The mount of ``app`` at ``path``.

    Raises:
        ConfigError: the path is none or taken, or the app is not one.
    """
    if not path.startswith("/"):
        raise ConfigError(f"a mount's path begins with '/': {path!r} does not")
    prefix = path.rstrip("/")
    if "{" in path or "}" in path:
        raise ConfigError(f"a mount's path has no parameters: {path!r}")
    if any(prefix == other.prefix for other in others):
        raise ConfigError(f"two apps are mounted at {path!r}")
    return Mount(prefix, as_asgi(app), timeout)


class Mounted:
    """A mounted app while it runs: an ASGI app, behind a server stack of its own.

    Its requests are counted, end at their deadline, and bring their context along as those of
    endpoints do. A WebSocket brings its context, too, and has no deadline: it has no answer.

    Args:
        state: what the app kept at its start for its requests.
        stack: in front of it. Its filters see the request before its body is read, and of the
            answer its head and its end: the body itself goes by.
        timeout: seconds until its answer must begin.
    """

    def __init__(
        self,
        mount: Mount,
        state: dict[str, Any],
        stack: Stack[Request, Response],
        timeout: float,
    ) -> None:
        self.prefix = mount.prefix
        self.route = mount.route
        self.timeout = timeout
        self._app = mount.app
        self._state = state
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            attach(extract(Headers(scope["headers"]), system.now()))
            await self._app(self._below(scope), receive, send)
            return
        request = request_of(scope, receive)
        request.route = self.route
        attach(extract(request.headers, system.now(), self.timeout))
        await Passage(self._app, self._below(scope), receive, send).through(self._stack, request)

    def _below(self, scope: Scope) -> Scope:
        """``scope`` as the mounted app is to see it: ``root_path`` grows, ``path`` stays whole
        (ASGI, HTTP connection scope), and its own state is there beside the server's."""
        return {
            **scope,
            "root_path": scope.get("root_path", "") + self.prefix,
            "state": {**scope.get("state", {}), **self._state},
        }


def find(mounts: Iterable[Mounted], path: str) -> Mounted | None:
    """Which of ``mounts`` a path is below: of several, that with the longest prefix."""
    below = [
        mounted
        for mounted in mounts
        if path.startswith(mounted.prefix) and path[len(mounted.prefix) :][:1] in ("", "/")
    ]
    return max(below, key=lambda mounted: len(mounted.prefix), default=None)
