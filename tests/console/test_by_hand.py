"""`skerry console` for a fleet that runs none, and a console whose fleet goes away."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import BANK, command, fetch, until


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Path]:
    """A fleet without a console, up."""
    text = '[fleet]\nname = "plain"\n[observe]\nconsole = false\ncollector = false\n[apps.bank]\n'
    (tmp_path / "fleet.toml").write_text(text)
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "app.py").write_text(textwrap.dedent(BANK))
    command(tmp_path, "up", "--detach", "--no-reload")
    yield tmp_path
    command(tmp_path, "down")


def test_one_is_served_until_it_is_ended(plain: Path) -> None:
    words = [sys.executable, "-m", "skerry.cli.main", "console", "--json"]
    serving = subprocess.Popen(words, cwd=plain, stdout=subprocess.PIPE, text=True)
    try:
        assert serving.stdout is not None
        said = "".join(serving.stdout.readline() for _ in range(3))
        url = json.loads(said)["url"]
        assert fetch(f"{url}/api/fleet")[1]["fleet"] == "plain"
        assert fetch(f"{url}/api/pages")[1]["fleet"] == "plain"
        status, problem = fetch(f"{url}/api/bus/queues")
        assert (status, "no bus yet" in problem["detail"]) == (503, True)
        command(plain, "down")
        until(lambda: fetch(f"{url}/api/fleet")[0] == 503, "the end of the fleet")
        assert fetch(f"{url}/api/fleet")[1]["title"] == "The fleet does not answer"
        assert fetch(f"{url}/")[0] == 200  # the page is there to say so
    finally:
        serving.send_signal(signal.SIGINT)
        assert serving.wait(20) in (0, 130)


def test_a_console_belongs_to_a_fleet() -> None:
    words = [
        sys.executable,
        "-m",
        "skerry.cli.main",
        "run",
        "skerry.console.app:app",
        "--port",
        "0",
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "SKERRY_CONTROL" in done.stderr
