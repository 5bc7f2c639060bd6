"""kill -9, while the money moves: what is promised of daemons is tried where one can watch."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

from skerry import eventually

DAEMONS = ("ledger", "payouts", "notify")
BACK_WITHIN_SECONDS = 60


class Killer:
    """Kills daemons by their process ids, and waits until the fleet has started them again.

    Args:
        command: makes a command line of the fleet's of ``ps``, ``--json``.
        times: how often each daemon dies.
        tell: of each that is back.

    Attributes:
        killed: how often who has died.
        back: how often who has been started again.
    """

    def __init__(
        self, command: Callable[..., list[str]], times: int, tell: Callable[[int], None]
    ) -> None:
        self._command = command
        self._times = times
        self._tell = tell
        self.killed: Counter[str] = Counter()
        self.back: Counter[str] = Counter()

    async def work(self) -> None:
        """Kill each in turn, with a pause between, until all have died as often as they are to."""
        for _ in range(self._times):
            for app in DAEMONS:
                await asyncio.sleep(0.3)
                await self._kill(app)

    async def _kill(self, app: str) -> None:
        before = {i["pid"] for i in await self._instances(app) if i["pid"]}
        for pid in before:
            os.kill(pid, signal.SIGKILL)
            self.killed[app] += 1

        async def replaced() -> bool:
            now = await self._instances(app)
            return all(i["state"] == "ready" and i["pid"] not in before for i in now)

        await eventually(replaced, within=BACK_WITHIN_SECONDS, every=0.2)
        self.back[app] += len(before)
        self._tell(self.back.total())

    async def _instances(self, app: str) -> list[dict[str, Any]]:
        asked = await asyncio.create_subprocess_exec(
            *self._command("ps", "--json"), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await asked.communicate()
        return [i for i in json.loads(said)["instances"] if i["app"] == app]
