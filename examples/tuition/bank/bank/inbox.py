"""The folder that the bank's files arrive in.

A file is read where it lies and put away afterwards, into ``read`` or ``refused``. Whoever dies in
between leaves it to be read again, and two that read the same file count it once: what is on it
has references of its own.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
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
        self.read, self.refused = self.folder / "read", self.folder / "refused"
        for made in (self.read, self.refused):
            made.mkdir(parents=True, exist_ok=True)

    async def take(self, read: Callable[[bytes], Awaitable[object]]) -> int:
        """Give every file that has arrived to ``read``; how many there were."""
        taken = 0
        for file in sorted(self.folder.glob("*.xml")):
            with suppress(FileNotFoundError):  # another was faster
                try:
                    await read(_content(file))
                except StatementRefused as refused:
                    _put_away(file, self.refused, refused.detail)
                else:
                    _put_away(file, self.read)
                taken += 1
        return taken


def _content(file: Path) -> bytes:
    return file.read_bytes()


def _put_away(file: Path, folder: Path, reason: str = "") -> None:
    if reason:
        (folder / f"{file.name}.reason").write_text(reason + "\n", "utf-8")
    file.replace(folder / file.name)
