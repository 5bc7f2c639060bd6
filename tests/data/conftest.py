from __future__ import annotations

import pytest

from skerry.data import fixtures
from skerry.data.throwaway import NotInstalled

url = fixtures.fresh_url()


@pytest.fixture
def postgresql_url() -> str:
    try:
        return fixtures.postgresql_url()
    except NotInstalled as missing:
        pytest.skip(str(missing))
