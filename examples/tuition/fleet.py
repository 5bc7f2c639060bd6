"""The fleet of one file, by the command line: what people do by hand, the demos do by this."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

COMMAND = str(Path(sys.executable).with_name("skerry"))


class Fleet:
    """The fleet of one file, by the command line."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def command(self, *words: str) -> list[str]:
        """``skerry ps --json`` of this fleet, in words."""
        return [COMMAND, *words, "--file", str(self.file)]

    def up(self, **settings: str) -> bool:
        """Start it, with settings of its apps beside those of this process."""
        own = {**os.environ, **settings}
        return subprocess.run(self.command("up", "--detach"), env=own, check=False).returncode == 0

    def down(self) -> None:
        # In a group of its own: a second Ctrl-C must not leave half a fleet behind.
        subprocess.run(self.command("down"), process_group=0, check=False)

    def status(self) -> dict[str, Any] | None:
        """What ``skerry ps --json`` says; None if the fleet is not up."""
        found: dict[str, Any] | None = self.ask("ps")
        return found

    def settled_status(self) -> dict[str, Any]:
        """The status when instances have reported what they counted, which they do every second."""
        time.sleep(1.5)
        return self.status() or {}

    def dead_letters(self) -> int:
        """How many events handlers have given up."""
        return sum(queue["dead"] for queue in self.ask("bus", "ls"))

    def ask(self, *words: str) -> Any:
        """What a verb prints with ``--json``; None if it fails without having printed any."""
        done = subprocess.run(
            self.command(*words, "--json"), capture_output=True, text=True, check=False
        )
        return json.loads(done.stdout) if done.stdout else None
