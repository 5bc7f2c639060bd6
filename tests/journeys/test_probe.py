"""The probe as an app: over HTTP, in a process of its own, against an app in another."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from skerry.contract.openapi import document
from skerry.journeys.probe import app

from .support import write

JOURNEYS = """
    @journey(every="200ms", owner="shop")
    async def look(shop: DynamicClient) -> None:
        '''Somebody looks at the shop.'''
        with step("look"):
            assert (await shop.hello("x"))["name"] == "x"

    @journey
    async def fails(run: Run) -> None:
        with step("fail"):
            raise ValueError(run.id)
"""
SHOP = """
from skerry import App
app = App("shop")

@app.get("/hello/{name}")
async def hello(name: str) -> dict[str, str]:
    return {"name": name}
"""
PATIENCE = 30.0


class Server(NamedTuple):
    url: str
    process: subprocess.Popen[str]

    def get(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(self.url + path, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read())

    def status(self, path: str, method: str = "GET") -> tuple[int, Any]:
        try:
            return 200, self.get(path, method)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


def serve(target: str, cwd: Path, **variables: str) -> Server:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "skerry.cli.main", "run", target, "--port", str(port)],
        cwd=cwd,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Server(f"http://127.0.0.1:{port}", process)


def ready(server: Server) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            server.get("/readyz")
        except OSError:
            if server.process.poll() is not None or time.monotonic() > until:
                server.process.kill()
                raise AssertionError(server.process.communicate()[0]) from None
            time.sleep(0.05)
        else:
            return


def stop(server: Server) -> str:
    server.process.terminate()
    return server.process.communicate(timeout=PATIENCE)[0]


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("probe")
    write(root, "journeys/shop.py", JOURNEYS)
    (root / "shop_app.py").write_text(SHOP)
    shop = serve("shop_app:app", root)
    ready(shop)
    probe = serve(
        "skerry.journeys.probe:app",
        root,
        SKERRY_JOURNEYS="journeys",
        SKERRY_JOURNEYS_FOLDER="kept",
        SKERRY_JOURNEYS_KEEP="5",
        SHOP_URL=shop.url,
    )
    try:
        ready(probe)
        yield probe
    finally:
        stop(probe)
        stop(shop)


def until(true: Any) -> Any:
    end = time.monotonic() + PATIENCE
    while not (value := true()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return value


def test_it_runs_what_is_scheduled_and_shows_it(probe: Server) -> None:
    until(lambda: probe.get("/journeys/look")["runs"] == 5)
    fails, look = probe.get("/journeys")
    assert (fails["name"], fails["every"], fails["next"]) == ("fails", None, None)
    assert look["name"] == "look"
    assert look["summary"] == "Somebody looks at the shop."
    assert (look["owner"], look["apps"], look["every"]) == ("shop", ["shop"], 0.2)
    assert (look["failed"], look["last"]["ok"]) == (0, True)
    assert look["last"]["steps"][0]["name"] == "look"
    assert look["next"] > look["last"]["started"]
    runs = probe.get("/journeys/look/runs?limit=3")
    assert [run["run"] for run in runs] == sorted((run["run"] for run in runs), reverse=True)
    assert len(runs) == 3


def test_by_hand(probe: Server) -> None:
    made = probe.get("/journeys/fails/runs", "POST")
    assert made["ok"] is False
    assert made["error"]["message"] == made["run"]
    assert probe.get(f"/journeys/fails/runs/{made['run']}") == made
    assert probe.get("/journeys/fails")["last"] == made
    with urllib.request.urlopen(probe.url + "/metrics", timeout=PATIENCE) as answer:
        text = answer.read().decode()
    assert 'skerry_journey_runs_total{journey="fails",outcome="failed"} 1' in text


@pytest.mark.parametrize(
    ("path", "method", "title"),
    [
        ("/journeys/nothing", "GET", "There is no such journey"),
        ("/journeys/nothing/runs", "POST", "There is no such journey"),
        ("/journeys/look/runs/000", "GET", "There is no such run, or it is kept no longer"),
        ("/journeys/look/runs/..", "GET", "There is no such run, or it is kept no longer"),
        ("/journeys/look/runs/000/screenshots/a.png", "GET", "There is no such run, or it is"),
    ],
)
def test_what_is_not_there(probe: Server, path: str, method: str, title: str) -> None:
    status, problem = probe.status(path, method)
    assert status == 404
    assert problem["title"].startswith(title)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "SKERRY_JOURNEYS is not set"),
        ({"SKERRY_JOURNEYS": "empty"}, "there are no journeys in empty"),
        ({"SKERRY_JOURNEYS": "broken"}, "cannot be imported: ZeroDivisionError"),
        ({"SKERRY_JOURNEYS": "broken", "SKERRY_JOURNEYS_KEEP": "0"}, "SKERRY_JOURNEYS_KEEP"),
    ],
)
def test_it_does_not_start_without_journeys(
    tmp_path: Path, variables: dict[str, str], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path, "broken/x.py", "1 / 0\n@journey\nasync def x() -> None: ...\n")
    server = serve("skerry.journeys.probe:app", tmp_path, **variables)
    try:
        text, _ = server.process.communicate(timeout=PATIENCE)
    finally:
        server.process.kill()
    assert server.process.returncode != 0
    assert said in text
    assert "Traceback" not in text or "ZeroDivisionError" in text


def test_its_contract_has_its_problems() -> None:
    paths = document(app.contract())["paths"]
    assert set(paths["/journeys/{name}/runs"]["post"]["responses"]) >= {"201", "404", "409"}
