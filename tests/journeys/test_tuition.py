"""The journey of the example fleet, all of its apps in one process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

TUITION = Path(__file__).parents[2] / "examples" / "tuition"


def test_a_payer_pays() -> None:
    words = ["journey", "run", "pay_tuition", "--in-process", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "skerry.cli.main", *words],
        cwd=TUITION,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (result,) = json.loads(done.stdout)
    assert [step["name"] for step in result["steps"]] == [
        "find a school",
        "lock a rate",
        "take the quote",
        "see where to send the money",
    ]
