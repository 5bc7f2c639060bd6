"""What answers a WebSocket where nothing is installed that speaks it.

uvicorn has no implementation of its own, only adapters to two libraries. Without them it would
serve the handshake as a plain request, and whoever looks for the mistake finds a 404.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

from skerry.core.answer import problem_response

log = logging.getLogger("skerry.app")

_ANSWER = problem_response(
    501,
    {
        "type": "about:blank",
        "title": "Not Implemented",
        "status": 501,
        "detail": "This server does not speak WebSocket.",
    },
)


class NoWebSocket(asyncio.Protocol):
    """Says so: to the caller, and in the log how to change it.

    Args:
        config, server_state, app_state: uvicorn's own.
    """

    def __init__(self, config: Any, server_state: Any, app_state: Any) -> None:
        """Nothing of that is needed to refuse."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        log.error(
            "a WebSocket was asked for, and nothing is installed that speaks it: "
            "pip install 'skerry[websockets]'"
        )
        head = [b"HTTP/1.1 501 Not Implemented", b"connection: close"]
        head += [b"%b: %b" % field for field in _ANSWER.headers.raw]
        self._transport.write(b"\r\n".join([*head, b"", cast(bytes, _ANSWER.body)]))
        self._transport.close()
