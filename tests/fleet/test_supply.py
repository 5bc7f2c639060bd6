from __future__ import annotations

import os
import shutil
import signal
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from skerry.fleet import localserver

SHOW = """
    import os
    from skerry import App

    app = App("shop")

    @app.get("/store")
    async def store() -> str:
        return os.environ["STORE_URL"]
"""


async def test_apps_follow_a_backing_that_has_to_move(
    tree: Any, running: Any, http: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which("redis-server") and not shutil.which("valkey-server"):
        pytest.skip("redis is not installed: apt-get install redis")
    monkeypatch.setattr(localserver, "_LINGER", 0.0)
    tree.text += '[backings.store]\nkind = "redis"\n'
    tree.add("shop", 'needs = ["store"]', SHOW)
    async with running() as supervisor:
        front = supervisor.recipes.front_url()
        before = (await http(front, "/shop/store")).json()
        port = urlsplit(before).port or 0
        os.kill(supervisor.supply.replicas["store"].pid, signal.SIGKILL)
        with held(port):

            async def after() -> Any:
                answer = await http(front, "/shop/store")
                return answer.json() if answer.status == 200 and answer.json() != before else None

            moved = urlsplit(await until(after)).port or 0
        assert await localserver.exchange(moved, b"PING\r\n", 7) == b"+PONG\r\n"
        assert supervisor.replicas["shop"][0].restarts == 0


def held(port: int) -> socket.socket:
    """A socket on a port whose owner has just been killed."""
    while True:
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            continue
