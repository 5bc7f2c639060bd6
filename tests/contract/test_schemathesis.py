"""What the page on testing says about schemathesis, done."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from msgspec import Struct
from schemathesis import GenerationMode

from skerry.app import App
from skerry.app.responses import ServerSentEvent

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


class Row(Struct):
    number: int


app = App("rows", version="1.0.0")


@app.post("/rows")
async def add_rows(rows: AsyncIterator[Row]) -> int:
    return len([row async for row in rows])


@app.get("/rows")
async def list_rows(most: int = 3) -> AsyncIterator[Row]:
    for number in range(min(most, 3)):
        yield Row(number)


@app.get("/news")
async def news(most: int = 3) -> AsyncIterator[ServerSentEvent[Row]]:
    for number in range(min(most, 3)):
        yield ServerSentEvent(Row(number), event="row")


@pytest.fixture(scope="module", autouse=True)
def explained() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    code = next(block for block in blocks if "import schemathesis" in block)
    exec(code, {})


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", ["GET /rows", "POST /rows", "GET /news"])
def test_items_both_ways(mode: GenerationMode, operation: str) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    method, path = operation.split()
    answers: set[int] = set()

    @settings(
        max_examples=5,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        answers.add(case.call_and_validate().status_code)

    check()
    assert answers <= ({200} if mode is GenerationMode.POSITIVE else {200, 400, 422})
