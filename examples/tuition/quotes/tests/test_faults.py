"""The fault on purpose: off unless it is set, and then as often as it is set."""

from __future__ import annotations

import pytest
from quotes.app import app
from quotes.clients.schools import Schools
from quotes.faults import FaultSettings

from skerry.app.testclient import TestClient
from skerry.core.errors import ConfigError
from skerry.data.database import Database


@pytest.mark.parametrize(("share", "failed"), [(0.0, 0), (1.0, 20)])
async def test_as_many_fail_as_are_set(database: Database, share: float, failed: int) -> None:
    overrides = {Database: database, Schools: object(), FaultSettings: FaultSettings(share)}
    async with TestClient(app, overrides=overrides) as client:
        statuses = [(await client.get("/rates")).status for _ in range(20)]
    assert statuses.count(500) == failed


async def test_a_share_is_between_none_and_all(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUOTES_FAIL_SHARE", "50")
    with pytest.raises(ConfigError, match="QUOTES_FAIL_SHARE"):
        async with TestClient(app, overrides={Database: database, Schools: object()}):
            pass
