"""How ``skerry call`` gets to an app: as another app would."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from skerry.cli.calling import Way, way
from skerry.cli.output import Failed

from .conftest import spawn
from .test_fleet import status

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "far", "version": "1"},
    "paths": {
        "/rates/{currency}": {
            "get": {
                "operationId": "rate",
                "parameters": [
                    {
                        "name": "currency",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string"},
                    }
                ],
                "responses": {"200": {"description": ""}},
            }
        }
    },
}


SLOW = """
import asyncio, os
from skerry import App

app = App("slow")

@app.get("/wait")
async def wait() -> dict[str, str]:
    await asyncio.sleep(1)
    return {"by": os.environ["SKERRY_INSTANCE"]}
"""


class Far(BaseHTTPRequestHandler):
    """An API below ``/v1`` that says what it was asked."""

    def do_GET(self) -> None:
        asked = {"path": self.path, "timeout": self.headers["grpc-timeout"]}
        body = json.dumps(DOCUMENT if self.path == "/v1/openapi.json" else asked).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A fleet that runs, of an app in two instances, one that is elsewhere, and a worker."""
    root = tmp_path_factory.mktemp("wide")
    with ThreadingHTTPServer(("127.0.0.1", 0), Far) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (root / "worker").mkdir()
        (root / "slow").mkdir()
        (root / "slow" / "app.py").write_text(SLOW)
        (root / "fleet.toml").write_text(
            f"""
            [apps.slow]
            instances = 2
            [apps.far]
            url = "http://127.0.0.1:{server.server_port}/v1"
            [apps.gone]
            url = "http://127.0.0.1:1"
            [apps.worker]
            command = "sleep 1000"
            http = false
            """
        )
        up = spawn("up", "--detach", cwd=root)
        try:
            assert up.status == 0, up
            yield root
        finally:
            spawn("down", cwd=root)
            server.shutdown()


def test_an_app_that_runs_elsewhere(wide: Path) -> None:
    apps = {app["app"]: app for app in status(wide)["apps"]}
    row = next(line for line in spawn("ps", cwd=wide).out.splitlines() if line.startswith("far"))
    assert row.split()[1:3] == ["external", apps["far"]["url"]]
    done = spawn("call", "far.rate", "currency=EUR", cwd=wide)
    assert json.loads(done.out) == {"path": "/v1/rates/EUR", "timeout": None}
    gone = spawn("call", "gone.rate", "--timeout", "5", cwd=wide)
    assert (
        gone.status == 1 and "http://127.0.0.1:1/openapi.json: it answers 503: no conn" in gone.err
    )


def test_every_instance_is_called(wide: Path) -> None:
    with ThreadPoolExecutor() as threads:
        answers = list(threads.map(lambda _: spawn("call", "slow.wait", cwd=wide), range(4)))
    assert {json.loads(one.out)["by"] for one in answers} == {"slow-1", "slow-2"}


def test_a_worker_cannot_be_called(wide: Path) -> None:
    done = spawn("call", "worker.anything", cwd=wide)
    assert done.status == 1 and "http = false" in done.err


def state(front: str, *instances: str) -> dict[str, Any]:
    rows = [
        {"app": "a", "id": f"a-{number}", "state": one, "url": f"http://127.0.0.1:{number}"}
        for number, one in enumerate(instances, 1)
    ]
    apps = [{"app": "a", "kind": "app", "url": ""}]
    edges = [{"state": "ready" if front else "crashed"}]
    return {"root": "/f", "front": front, "apps": apps, "instances": rows, "edges": edges}


def test_the_way_is_through_the_front_door_where_there_is_one() -> None:
    found = way(state("http://127.0.0.1:80", "crashed", "starting"), "a")
    assert found == Way("http://a.localhost:80", "http://127.0.0.1:80", "a.localhost:80")
    assert found.headers(59.2) == {"host": "a.localhost:80", "grpc-timeout": "61S"}
    crashed = state("", "ready") | {"front": "http://127.0.0.1:80"}
    assert way(crashed, "a").host == ""
    direct = way(state("", "ready"), "a")
    assert direct == Way("http://127.0.0.1:1", "http://127.0.0.1:1")
    assert direct.headers(1e300) == {}
    with pytest.raises(Failed, match="no instance of a is ready; `skerry logs a` says why"):
        way(state("http://127.0.0.1:80", "crashed"), "a")
