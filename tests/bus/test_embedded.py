"""The embedded driver: the suite of all drivers, and what is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from skerry.bus.embedded import Embedded

from .conformance import Bus, Place


class TestEmbedded(Bus):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        path = tmp_path / "bus.db"
        return Place(
            lambda: Embedded(path),
            ("from skerry.bus.embedded import Embedded", f"Embedded({str(path)!r})"),
        )
