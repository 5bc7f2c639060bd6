"""The folder that the bank takes orders from."""

from __future__ import annotations

import os
from pathlib import Path

from skerry.data.database import data_folder


class Folder:
    """Where files are handed over.

    Args:
        path: by default ``PAYOUTS_FOLDER``, or ``bank-orders`` beside the app's data.
    """

    def __init__(self, path: Path | None = None) -> None:
        given = os.environ.get("PAYOUTS_FOLDER")
        self.path = path or (Path(given) if given else data_folder() / "bank-orders")
        self.path.mkdir(parents=True, exist_ok=True)

    def hand_over(self, batch: str, content: bytes) -> None:
        """Put a file there: whole, on the disk, or not at all. Done twice, it is the same file."""
        part = self.path / f".{batch}.{os.getpid()}.part"
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path / f"{batch}.xml")
