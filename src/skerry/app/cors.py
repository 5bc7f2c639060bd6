"""Cross-origin requests (WHATWG Fetch, 3.2), as ASGI middleware around the whole app."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from skerry.core.errors import ConfigError
from skerry.core.wire import Headers

from .asgi import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = ("accept", "accept-language", "content-language", "content-type")


@dataclass(frozen=True, slots=True)
class CorsSettings:
    """Who may call from a page elsewhere.

    Attributes:
        origins: ``https://app.example``; or ``*`` for any, never together with credentials.
        origin_regex: one more way for an origin to be allowed; must match all of it.
        methods, headers: what such a call may use, ``*`` for any.
        expose: response headers that the page may read.
        credentials: whether cookies and the like may come with it.
        max_age: seconds a browser may remember the answer.
    """

    origins: Sequence[str] = ()
    origin_regex: str = ""
    methods: Sequence[str] = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
    headers: Sequence[str] = ()
    expose: Sequence[str] = ()
    credentials: bool = False
    max_age: int = 600

    def __post_init__(self) -> None:
        if isinstance(self.origins, str):
            raise ConfigError("cors: origins is a list")
        if self.credentials and "*" in self.origins:
            raise ConfigError("cors: with credentials, name the origins; '*' is not allowed")

    def allows(self, origin: str) -> bool:
        return (
            "*" in self.origins
            or origin in self.origins
            or bool(self.origin_regex and re.fullmatch(self.origin_regex, origin))
        )


class Cors:
    """Answers preflights, and marks the answers to allowed origins."""

    def __init__(self, app: ASGIApp, settings: CorsSettings) -> None:
        self._app = app
        self._settings = settings
        self._any = "*" in settings.origins and not settings.credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope["headers"]) if scope["type"] == "http" else Headers()
        origin = headers.get("origin")
        if origin is None:
            await self._app(scope, receive, send)
            return
        wanted = headers.get("access-control-request-method")
        if scope["method"] == "OPTIONS" and wanted is not None:
            await self._preflight(origin, wanted, headers, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self._mark(origin)]}
            await send(message)

        await self._app(scope, receive, marked)

    def _mark(self, origin: str) -> list[tuple[bytes, bytes]]:
        settings = self._settings
        fields = [] if self._any else [("vary", "Origin")]
        if settings.allows(origin):
            fields.append(("access-control-allow-origin", "*" if self._any else origin))
            if settings.credentials:
                fields.append(("access-control-allow-credentials", "true"))
            if settings.expose:
                fields.append(("access-control-expose-headers", ", ".join(settings.expose)))
        return Headers.of(fields).raw

    async def _preflight(self, origin: str, wanted: str, headers: Headers, send: Send) -> None:
        settings = self._settings
        asked = headers.get("access-control-request-headers", "") or ""
        names = [name.strip().lower() for name in asked.split(",") if name.strip()]
        known = {*_ALWAYS, *(name.lower() for name in settings.headers)}
        allowed = (
            settings.allows(origin)
            and ("*" in settings.methods or wanted in settings.methods)
            and ("*" in settings.headers or known.issuperset(names))
        )
        fields = [*Headers(self._mark(origin))]
        if allowed:
            methods = [wanted] if "*" in settings.methods else settings.methods
            fields.append(("access-control-allow-methods", ", ".join(methods)))
            fields.append(("access-control-max-age", str(settings.max_age)))
            if names:
                fields.append(("access-control-allow-headers", ", ".join(names)))
        fields.append(("content-length", "0"))
        status = 204 if allowed else 403
        await send(
            {"type": "http.response.start", "status": status, "headers": Headers.of(fields).raw}
        )
        await send({"type": "http.response.body", "body": b""})
