"""``breaking.py``: an app that fails half of what it is asked is found, with whose fault it is.

The fleet is a copy in a folder of its own. How soon is printed, and judged nowhere here: the
machine may be busy.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

TUITION = Path(__file__).parents[2] / "examples" / "tuition"
FINDINGS = {
    "one incident": "quotes: RatesUnreadable; hurts portal",
    "red on the map": "quotes red; portal fails of it",
    "one alert": "quotes, told pricing@tuition.example",
    "the objective burns": r"POST /quotes: [\d.]+ % of 99.9 % promised",
    "the trace": r"\d+ spans; raised in quotes",
}


def test_a_broken_app_is_one_incident_and_one_alert_to_its_owner(tmp_path: Path) -> None:
    tuition = tmp_path / "tuition"
    shutil.copytree(TUITION, tuition, ignore=shutil.ignore_patterns(".skerry", "__pycache__"))
    own = {k: v for k, v in os.environ.items() if not k.startswith(("SKERRY_", "DATABASE_URL"))}
    done = subprocess.run(
        [sys.executable, "breaking.py", "--once"],
        cwd=tuition,
        env={**own, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-3000:]}"
    for what, said in FINDINGS.items():
        assert re.search(rf"│ {what} +│ +[\d.]+ s │ {said} +│", done.stdout), done.stdout
