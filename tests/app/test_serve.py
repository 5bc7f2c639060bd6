from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from pathlib import Path
from threading import Thread

import pytest

from skerry.app.serve import YOUNG

APP = """
import asyncio, gc, sys
from collections.abc import AsyncIterator
from skerry.app import App
from skerry.app.serve import run

app = App("slow")

class Database: ...

@app.resource
async def database() -> AsyncIterator[Database]:
    yield Database()
    print("database closed", flush=True)

@app.get("/gc")
async def collector() -> list[int]:
    return [gc.get_threshold()[0], gc.get_freeze_count()]

@app.get("/slow")
async def slow(seconds: float, database: Database) -> str:
    print("began", flush=True)
    await asyncio.sleep(seconds)
    return "done"

run(app, port=int(sys.argv[1]), drain=float(sys.argv[2]))
"""


def start(tmp_path: Path, drain: float) -> tuple[subprocess.Popen[str], int]:
    file = tmp_path / "slow_app.py"
    file.write_text(textwrap.dedent(APP))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(file), str(port), str(drain)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
        time.sleep(0.02)
    process.kill()
    raise AssertionError("it did not start")


def get(port: int, seconds: float, into: list[object]) -> Thread:
    def ask() -> None:
        url = f"http://127.0.0.1:{port}/slow?seconds={seconds}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                into.append(answer.read())
        except (OSError, urllib.error.URLError) as error:
            into.append(error)

    thread = Thread(target=ask)
    thread.start()
    return thread


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_has_begun_is_finished(tmp_path: Path, number: signal.Signals) -> None:
    process, port = start(tmp_path, drain=10)
    assert process.stdout is not None
    answers: list[object] = []
    thread = get(port, 0.5, answers)
    assert process.stdout.readline() == "began\n"
    process.send_signal(number)
    thread.join()
    assert answers == [b'"done"']
    assert process.wait(5) == 0
    assert process.stdout.read() == "database closed\n"


def test_draining_is_bounded(tmp_path: Path) -> None:
    process, port = start(tmp_path, drain=1)
    assert process.stdout is not None
    answers: list[object] = []
    thread = get(port, 60, answers)
    assert process.stdout.readline() == "began\n"
    began = time.monotonic()
    process.terminate()
    process.wait(10)
    assert time.monotonic() - began < 8
    thread.join()
    assert isinstance(answers[0], Exception)


def test_what_there_is_at_start_is_not_searched_for_garbage(tmp_path: Path) -> None:
    process, port = start(tmp_path, drain=1)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/gc", timeout=20) as answer:
            threshold, frozen = json.load(answer)
    finally:
        process.terminate()
        process.wait(10)
    assert threshold == YOUNG
    assert frozen > 10_000
