"""The fault on purpose: off unless it is set, and then as often as it is set."""

from __future__ import annotations

import pytest
from quotes.app import app
from quotes.clients.schools import Schools
from quotes.faults import FaultSettings

from skerry.app.testclient import TestClient
from skerry.core.errors import ConfigError
from skerry.data.database import Database


@pytest.mark.parametrize(("percent", "failed"), [(0, 0), (100, 20)])
async def test_as_many_fail_as_are_set(database: Database, percent: int, failed: int) -> None:
    overrides = {Database: database, Schools: object(), FaultSettings: FaultSettings(percent)}
    async with TestClient(app, overrides=overrides) as client:
        statuses = [(await client.get("/rates")).status for _ in range(20)]
    assert statuses.count(500) == failed


async def test_no_more_than_all_can_fail(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUOTES_FAIL_PERCENT", "101")
    with pytest.raises(ConfigError, match="QUOTES_FAIL_PERCENT"):
        async with TestClient(app, overrides={Database: database, Schools: object()}):
            pass
