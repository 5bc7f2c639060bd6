"""The collector, running on a store of its own; and a real zipkin-server, where there is one."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from skerry.app.testclient import TestClient
from skerry.collector.app import app
from skerry.collector.settings import CollectorSettings

_INSTALL = (
    "no zipkin-server to compare with: set ZIPKIN_URL to one that runs, or ZIPKIN_JAR to its jar "
    "(mvn dependency:copy -Dartifact=io.zipkin:zipkin-server:3.4.4:jar:slim)"
)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[TestClient]:
    chosen = CollectorSettings(path=str(tmp_path / "spans.db"), autocomplete_keys=["env"])
    async with TestClient(app, overrides={CollectorSettings: chosen}) as client:
        yield client


@pytest.fixture(scope="session")
def zipkin() -> Iterator[str]:
    """The URL of a real zipkin-server."""
    if url := os.environ.get("ZIPKIN_URL"):
        yield url.rstrip("/")
        return
    jar = os.environ.get("ZIPKIN_JAR")
    if not jar:
        pytest.skip(_INSTALL)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [
            *("java", "-Xmx256m", "-jar", jar),
            "--armeria.ports[0].ip=127.0.0.1",
            f"--armeria.ports[0].port={port}",
            "--armeria.ports[0].protocols[0]=http",
            "--zipkin.storage.autocomplete-keys=env",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 60
        while not _answers(f"{url}/health"):
            if server.poll() is not None or time.monotonic() > until:
                pytest.fail(f"{jar} did not start")
            time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait(20)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
