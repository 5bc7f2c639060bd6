"""An environment for each peer that cannot share ours, made when it is first wanted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import machine


class NotInstalled(Exception):
    """A peer's packages cannot be had here."""


def python_with(name: str, requirements: Sequence[str]) -> Path:
    """The interpreter of ``.bench/env-NAME``, in which these are installed.

    Raises:
        NotInstalled: pip could not install them.
    """
    folder = machine.WORK / f"env-{name}"
    python, mark = folder / "bin" / "python", folder / "requirements.txt"
    wanted = "\n".join(requirements)
    if mark.exists() and mark.read_text() == wanted:
        return python
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    for command in ([sys.executable, "-m", "venv", "--clear", str(folder)], [str(python), *pip]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            raise NotInstalled(f"{' '.join(requirements)}: {said[-1]}")
    mark.write_text(wanted)
    return python
