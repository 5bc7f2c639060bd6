"""``skerry run``."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import spawn


def _get(url: str, process: subprocess.Popen[str]) -> bytes:
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                content: bytes = answer.read()
                return content
        except OSError:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)


@pytest.mark.parametrize(
    ("folder", "reference", "path", "said"),
    [("greeter", "greeter.app:app", "greetings/a", b"a"), ("plain", "app:app", "", b"plain")],
)
def test_an_app_is_served_until_ctrl_c(
    folder: str, reference: str, path: str, said: bytes, planted: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "skerry.cli.main", "run", reference, "--port", str(port)]
    with subprocess.Popen(
        command, cwd=planted / folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert said in _get(f"http://127.0.0.1:{port}/{path}", process)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr is not None and f"at http://127.0.0.1:{port}" in process.stderr.read()


def test_a_port_of_its_own_choice_is_told(planted: Path) -> None:
    command = [sys.executable, "-m", "skerry.cli.main", "run", "greeter.app:app", "--port", "0"]
    with subprocess.Popen(
        command, cwd=planted / "greeter", stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[-1]
        assert _get(f"{url}/greetings/a", process)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_a_port_that_is_taken(planted: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = spawn("run", "greeter.app:app", "--port", port, cwd=planted / "greeter")
    assert done.status > 0
    assert "address already in use" in done.err.lower() and "Traceback" not in done.err


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("json", "'json': an app is named MODULE:APP"),
        ("nowhere_at_all:app", "No module named 'nowhere_at_all'"),
        ("json:nothing", "json has no variable 'nothing'"),
        ("json:__doc__", "only an ASGI or WSGI app"),
    ],
)
def test_what_cannot_be_served(
    reference: str, said: str, empty: Path, run: Callable[..., Any]
) -> None:
    done = run("run", reference)
    assert done.status == 1 and said in done.err and len(done.err.splitlines()) == 1
