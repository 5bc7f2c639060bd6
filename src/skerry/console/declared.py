"""The journeys of a fleet that has no probe: what is in its files.

To know them they must be imported, and that is the users' code: ``skerry journey ls`` does it, in
a process of its own that is gone afterwards; again only when a file has changed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from skerry.fleet.watch import Snapshot, look
from skerry.spec import FILE, SpecError, load

_PATIENCE = 30.0  # seconds for importing them
_OURS = ("SKERRY_", "OTEL_")  # variables that belong to the console, not to a command


class Declared:
    """What was found, and whether that is still so."""

    def __init__(self) -> None:
        self._root = ""
        self._path = Path()
        self._seen: Snapshot = {}
        self._found: tuple[list[dict[str, Any]], str] = ([], "")
        self._one_at_a_time = asyncio.Lock()

    async def read(self, root: str) -> tuple[list[dict[str, Any]], str]:
        """The journeys of the fleet in a folder, as ``skerry journey ls --json`` prints them.

        Returns:
            them, and why there are none where there are none.
        """
        async with self._one_at_a_time:
            seen = await asyncio.to_thread(self._look, root)
            if seen != self._seen or root != self._root:
                self._found = await self._ask(root)
                self._root, self._seen = root, seen
            return self._found

    def _look(self, root: str) -> Snapshot:
        file = Path(root) / FILE
        before = self._seen.get(str(file))
        if before is None or look([file]).get(str(file)) != before:
            try:
                self._path = load(file).journeys.path
            except SpecError:
                self._path = Path(root) / "journeys"  # `journey ls` says what is wrong
        return look([file, self._path])

    async def _ask(self, root: str) -> tuple[list[dict[str, Any]], str]:
        if not self._path.exists():
            return [], ""
        words = ("-m", "skerry.cli.main", "journey", "ls", "--json")
        kept = {k: value for k, value in os.environ.items() if not k.startswith(_OURS)}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *words,
            cwd=root,
            env=kept,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_PATIENCE):
                said, wrong = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return [], f"importing them takes longer than {_PATIENCE:g} s"
        if process.returncode:
            return [], wrong.decode("utf-8", "replace").strip()
        try:
            found: list[dict[str, Any]] = msgspec.json.decode(said)
        except msgspec.DecodeError:  # they have printed something, too
            return [], f"`skerry journey ls --json` prints more than JSON: {said[:200]!r}"
        return found, ""
