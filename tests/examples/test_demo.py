"""``make demo`` with few payers: daemons are killed while the money moves, and every book agrees.

The fleet is a copy in a folder of its own, so that it meets nobody's data. Once on the bus that
every fleet has, once on RabbitMQ with the same code.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TUITION = Path(__file__).parents[2] / "examples" / "tuition"
BROKER = """
[bus]
backing = "broker"

[backings.broker]
kind = "rabbitmq"
"""


def demo(folder: Path, extra: str = "", fleet: str = "fleet.toml") -> str:
    """What the demo prints; it has found everything in order."""
    tuition = folder / "tuition"
    shutil.copytree(TUITION, tuition, ignore=shutil.ignore_patterns(".skerry", "__pycache__"))
    with (tuition / fleet).open("a") as file:
        file.write(extra)
    own = {k: v for k, v in os.environ.items() if not k.startswith(("SKERRY_", "DATABASE_URL"))}
    done = subprocess.run(
        [sys.executable, "demo.py", "--once", "--payments", "24", "--kills", "1", "--fleet", fleet],
        cwd=tuition,
        env={**own, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    logs = tuition / ".skerry" / "logs"
    last = "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in logs.glob("*.log"))
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}\n{last[-12_000:]}"
    return done.stdout


def said(output: str, what: str) -> str:
    """The last column of the row that begins with ``what``."""
    found = re.search(rf"^│ {re.escape(what)}.*│\s*(\S+)\s*│$", output, re.MULTILINE)
    assert found is not None, output
    return found[1]


def check(output: str) -> None:
    for daemon in ("ledger", "payouts", "notify"):
        assert said(output, daemon) == "1"
    assert int(said(output, "payments paid out")) > 12
    assert int(said(output, "transfers ordered in them")) >= int(said(output, "payments paid out"))
    assert int(said(output, "e-mails, each counted once")) <= int(said(output, "e-mails sent"))
    assert said(output, "transfers ordered twice") == "0"
    assert said(output, "events given up") == "0"
    assert said(output, "all") == "0.00"


def test_money_moves_while_daemons_are_killed(tmp_path: Path) -> None:
    check(demo(tmp_path))


def test_it_does_on_rabbitmq(tmp_path: Path) -> None:
    if not shutil.which("rabbitmq-server") and not Path("/usr/sbin/rabbitmq-server").exists():
        pytest.skip("RabbitMQ is not installed: apt-get install rabbitmq-server")
    check(demo(tmp_path, BROKER))


def test_it_does_while_all_apps_are_one_process_that_is_killed(tmp_path: Path) -> None:
    check(demo(tmp_path, fleet="together.toml"))
