from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from skerry.journeys.inprocess import inside
from skerry.journeys.place import Place, reach

from .support import Shop, served


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture(params=["loopback", "http"])
async def place(request: pytest.FixtureRequest, shop: Shop) -> AsyncIterator[Place]:
    """The shop as a place, in this process and over the network."""
    if request.param == "loopback":
        async with inside({"shop": shop.app}, {"/": "shop"}) as place:
            yield place
        return
    async with served(shop.app) as url:
        place = reach({"shop": url, "front": url}, environ={})
        yield place
        await place.close()
