"""The collector, running on a store of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from skerry.app.testclient import TestClient
from skerry.collector.app import app
from skerry.collector.settings import CollectorSettings


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[TestClient]:
    chosen = CollectorSettings(
        path=str(tmp_path / "spans.db"), autocomplete_keys=["env"], unpacked_mib=1
    )
    async with TestClient(app, overrides={CollectorSettings: chosen}) as client:
        yield client
