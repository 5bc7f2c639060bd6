"""What W3C's suite for trace context drives: an app that makes the calls it is told to make.

``skerry run w3c_app:app`` in this folder; what it is to do comes as ``POST /test``.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from skerry import App
from skerry.core.wire import Headers, Request, read_all
from skerry.stack.client import ClientSettings
from skerry.stack.connector import Connection, connection

app = App("w3c")
_connections: dict[str, Connection] = {}


@app.post("/test")
async def test(calls: list[dict[str, Any]]) -> None:
    """Send each URL its arguments."""
    for call in calls:
        parts = urlsplit(call["url"])
        base = f"{parts.scheme}://{parts.netloc}"
        if base not in _connections:
            settings = ClientSettings(retry=None, breaker=None)
            _connections[base] = connection(
                base, caller="w3c", metrics=app.metrics, settings=settings
            )
        body = json.dumps(call["arguments"]).encode()
        headers = Headers.of({"content-type": "application/json"})
        answer = await _connections[base](
            Request("POST", parts.path, parts.query, headers, body, route="call")
        )
        await read_all(answer.body)
