from __future__ import annotations

import socket
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skerry.core.wire import Headers
from skerry.fleet.guard import Guard, token_in
from skerry.fleet.up import Options, supervised
from skerry.spec import load


async def _app(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("not to be reached")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "127.0.0.1:1", "authorization": "Bearer t"}, None),
        ({"host": "localhost", "authorization": "Bearer t", "origin": "http://[::1]:2"}, None),
        ({"host": "127.0.0.1:1"}, 401),
        ({"host": "127.0.0.1:1", "authorization": "Bearer tt"}, 401),
        ({"host": "127.0.0.1:1", "authorization": "t"}, 401),
        ({"host": "evil.example", "authorization": "Bearer t"}, 403),
        ({"host": "127.0.0.1.evil.example", "authorization": "Bearer t"}, 403),
        ({"authorization": "Bearer t"}, 403),
        ({"host": "[::1", "authorization": "Bearer t"}, 403),
        ({"host": "localhost", "origin": "https://evil.example"}, 403),
        ({"host": "localhost", "origin": "null", "authorization": "Bearer t"}, 403),
    ],
)
def test_who_is_let_through(headers: dict[str, str], status: int | None) -> None:
    refusal = Guard(_app, "t").refusal(Headers.of(headers))
    assert (None if refusal is None else refusal.status) == status


def test_the_token_is_made_once_and_private(tmp_path: Path) -> None:
    token = token_in(tmp_path)
    assert len(token) >= 32
    assert token_in(tmp_path) == token
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


async def test_the_control_api_over_tcp(tree: Any, http: Any) -> None:
    tree.add("one")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = replace(Options(), control_port=port)
    async with supervised(load(tree.root), options):
        url = f"http://127.0.0.1:{port}"
        refused = await http(url, "/instances")
        assert refused.status == 401
        assert refused.headers.get("www-authenticate") == "Bearer"
        bearer = f"Bearer {token_in(tree.root / '.skerry')}"
        answer = await http(url, "/instances", authorization=bearer)
        assert answer.json()["fleet"] == "test"
