from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Column, MetaData, Table
from sqlalchemy.exc import StatementError

from skerry.data.database import make_engine
from skerry.data.types import UtcDateTime

moments = Table("moments", MetaData(), Column("at", UtcDateTime))
NOON_IN_TOKYO = datetime(2026, 3, 29, 12, 0, 0, 123456, timezone(timedelta(hours=9)))


@pytest.fixture
def engine(url: str) -> Any:
    engine = make_engine(url, schema="books")
    moments.create(engine)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("moment", [NOON_IN_TOKYO, None])
def test_a_moment_comes_back_in_utc(engine: Any, moment: datetime | None) -> None:
    with engine.begin() as connection:
        connection.execute(moments.insert(), {"at": moment})
        found = connection.execute(moments.select()).scalar_one()
    assert found == moment
    assert found is None or found.tzinfo is UTC


def test_a_naive_moment_is_refused(engine: Any) -> None:
    with pytest.raises(StatementError, match="no time zone"), engine.begin() as connection:
        connection.execute(moments.insert(), {"at": datetime(2026, 3, 29)})
