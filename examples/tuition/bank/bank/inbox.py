"""The folder that the bank's files arrive in.

A file is claimed by renaming it, which only one of several instances can do, and ends in
``read`` or ``refused``. An instance that dies finds what it had claimed in its next life.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from bank.problems import StatementRefused
from skerry.data.database import data_folder


class Inbox:
    """A folder of statements.

    Args:
        folder: by default ``BANK_INBOX``, or ``bank-inbox`` beside the app's data.
    """

    def __init__(self, folder: Path | None = None) -> None:
        given = os.environ.get("BANK_INBOX")
        self.folder = folder or (Path(given) if given else data_folder() / "bank-inbox")
        self.claimed = self.folder / "claimed" / os.environ.get("SKERRY_INSTANCE", "alone")
        self.read, self.refused = self.folder / "read", self.folder / "refused"
        for made in (self.claimed, self.read, self.refused):
            made.mkdir(parents=True, exist_ok=True)

    def take_back(self) -> None:
        """Put back what this instance had claimed when it died."""
        for claimed in self.claimed.glob("*.xml"):
            claimed.replace(self.folder / claimed.name)

    async def take(self, read: Callable[[bytes], Awaitable[object]]) -> int:
        """Give every file that has arrived to ``read``; how many there were."""
        taken = 0
        for file in sorted(self.folder.glob("*.xml")):
            claimed = self.claimed / file.name
            try:
                file.rename(claimed)
            except FileNotFoundError:  # another instance was faster
                continue
            taken += 1
            try:
                await read(claimed.read_bytes())
            except StatementRefused as refused:
                reason = self.refused / f"{file.name}.reason"
                reason.write_text(refused.detail + "\n", "utf-8")
                claimed.replace(self.refused / file.name)
            else:
                claimed.replace(self.read / file.name)
        return taken
