"""What stands before the console: it is for the people of this machine, and for its own pages.

Any page in any browser can send requests to ``127.0.0.1``, and by rebinding a name of its own
even read the answers; and other users of this machine can connect to it. So the host that is
spoken to must be this machine by its own name, whoever asks must be the same user, a page must
have come from here, and what changes something carries a header that no form can send.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from skerry.app.asgi import ASGIApp, Message, Receive, Scope, Send, send_response
from skerry.core.answer import answer
from skerry.core.errors import Forbidden
from skerry.core.wire import Headers

from .peers import is_other_user

HEADER = "x-skerry-console"
"""Sent with everything that is no GET; its value does not matter."""

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Guard:
    """ASGI middleware.

    Args:
        app: what is guarded.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], *_ALWAYS]
                if all(name != b"content-security-policy" for name, _ in headers):
                    headers.append((b"content-security-policy", POLICY.encode()))
                message = {**message, "headers": headers}
            await send(message)

        refusal = refused(scope["method"], Headers(scope["headers"]))
        if refusal is None and is_other_user(scope.get("client"), scope.get("server")):
            refusal = "This console is another user's."
        if refusal is not None:
            problem = answer(Forbidden(detail=refusal))
            await send_response(problem, scope["method"], receive, sent, False)
            return
        await self._app(scope, receive, sent)


def refused(method: str, headers: Headers) -> str | None:
    """Why a request with these headers is not let through; None when it is."""
    host = headers.get("host") or ""
    if _hostname(f"//{host}") not in _HOSTS:
        return "The console is for this machine, by its own name: 127.0.0.1 or localhost."
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return "Pages of other origins may not call this."
    site = headers.get("sec-fetch-site", "none")
    arriving = headers.get("sec-fetch-mode") == "navigate" and method == "GET"
    if site not in ("same-origin", "none") and not arriving:
        return "Pages of other sites may not call this."
    if method not in _READING and HEADER not in headers:
        return f"What changes something carries the header {HEADER}."
    return None


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
