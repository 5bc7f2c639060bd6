"""What stands before the control API when it listens on TCP, loopback or not.

Any page in any browser on this machine can send requests to ``127.0.0.1``, and by rebinding a
name of its own even read the answers. So a caller must know the token; the host it speaks to
must be one of ours, which a rebound name is not; and a page must have come from here.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from skerry.app.asgi import ASGIApp, Receive, Scope, Send, send_response
from skerry.core.answer import answer
from skerry.core.errors import Forbidden, Problem, Unauthorized
from skerry.core.wire import Headers

_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


class Guard:
    """Lets requests through that have the token and were meant for this machine.

    Args:
        app: what is guarded.
        token: the secret, sent as ``Authorization: Bearer TOKEN``.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = self.refusal(Headers(scope["headers"]))
            if refusal is not None:
                await send_response(answer(refusal), scope["method"], receive, send, False)
                return
        elif scope["type"] != "lifespan":
            return
        await self._app(scope, receive, send)

    def refusal(self, headers: Headers) -> Problem | None:
        """Why a request with these headers is not let through; None when it is."""
        if not _is_here(f"//{headers.get('host') or ''}"):
            return Forbidden(detail="This address is for this machine, by its own name.")
        origin = headers.get("origin")
        if origin is not None and not _is_here(origin):
            return Forbidden(detail="Pages of other origins may not call this.")
        given = headers.find(b"authorization") or b""
        if not hmac.compare_digest(given, self._expected):
            return Unauthorized(detail="The token is in .skerry/token.")
        return None


def _is_here(url: str) -> bool:
    try:
        return urlsplit(url).hostname in _HOSTS
    except ValueError:
        return False


def token_in(folder: Path) -> str:
    """The fleet's token: made once, readable for its owner alone."""
    file = folder / "token"
    try:
        token = file.read_text().strip()
    except FileNotFoundError:
        token = ""
    if not token:
        token = secrets.token_urlsafe(32)
        file.unlink(missing_ok=True)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as fresh:
            fresh.write(token)
    return token
