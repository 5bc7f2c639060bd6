"""W3C's own test suite for trace context, level 2 and strict, against an app of ours.

It is not ours to copy: clone https://github.com/w3c/trace-context, and let
``TRACE_CONTEXT_SUITE`` name its ``test/test.py``. Our own cases are in ``tests/core/test_context``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

SUITE = os.environ.get("TRACE_CONTEXT_SUITE", "")
NOWHERE = "http://127.0.0.1:9"  # spans are recorded, and what becomes of them is no matter


def free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(url).close()
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < until, "the app did not start"
            time.sleep(0.1)


@pytest.mark.skipif(
    not SUITE,
    reason="git clone https://github.com/w3c/trace-context, and TRACE_CONTEXT_SUITE=…/test/test.py",
)
def test_the_suite_passes() -> None:
    pytest.importorskip("aiohttp")
    port = free_port()
    app = subprocess.Popen(
        [sys.executable, "-m", "skerry.cli.main", "run", "w3c_app:app", "--port", str(port)],
        cwd=Path(__file__).parent,
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": NOWHERE},
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/livez", app)
        levels = {"STRICT_LEVEL": "2", "SPEC_LEVEL": "2", "HARNESS_PORT": str(free_port())}
        done = subprocess.run(
            [sys.executable, Path(SUITE).name, f"http://127.0.0.1:{port}/test"],
            cwd=Path(SUITE).parent,
            env={**os.environ, **levels},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    finally:
        app.terminate()
        app.wait(20)
    assert done.returncode == 0, done.stderr[-6000:]
    assert "OK" in done.stderr
