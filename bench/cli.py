"""What a command costs before it does anything: ``skerry ps`` beside a running fleet."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import machine
from .fleet import APP
from .rows import Report


def run(report: Report, rounds: int, seconds: float, say: Callable[[str], None]) -> None:
    folder = machine.WORK / "fleet-cli"
    shutil.rmtree(folder, ignore_errors=True)
    package = folder / "one" / "one"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "app.py").write_text(APP.format(name="one"))
    (folder / "fleet.toml").write_text('[fleet]\nname = "bench"\n\n[apps.one]\npath = "one"\n')
    skerry = str(Path(sys.executable).with_name("skerry"))
    repeats = max(10, rounds * 4)
    subprocess.run([skerry, "up", "--detach"], cwd=folder, check=True, capture_output=True)
    try:
        ps = _times([skerry, "ps"], folder, repeats)
        help_ = _times([skerry, "--help"], folder, repeats)
    finally:
        subprocess.run([skerry, "down"], cwd=folder, check=True, capture_output=True)
    python = [sys.executable, "-X", "frozen_modules=on", "-c"]
    report.add("cli.ps_ms", ps, "ms", "<= 150")
    report.add("cli.help_ms", help_, "ms")
    imported = _times([*python, "import skerry"], folder, repeats)
    bare = _times([*python, "pass"], folder, repeats)
    report.add(
        "cli.import_ms", [a - b for a, b in zip(imported, bare, strict=True)], "ms", "<= 100"
    )
    say(f"skerry ps: {repeats} runs")


def _times(command: list[str], folder: Path, repeats: int) -> list[float]:
    """Milliseconds that whole runs of ``command`` take, after one that warms the caches."""
    found = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        found.append((time.perf_counter() - started) * 1000)
    return found[1:]
