"""Whatever the console is asked for, and much that its contract does not allow, it answers.

Questions only: what changes something does so in a fleet that other tests look at, and is tried by
hand in theirs.
"""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from skerry.console.app import app

from .conftest import PATIENCE, Place

ENDLESS = "/api/live"
OPERATIONS = [
    operation.path
    for operation in app.contract().operations
    if operation.method == "GET" and operation.path.startswith("/api/")
    if operation.path != ENDLESS
]
AWAY = (502, 503)
"""Of whom it asks: this fleet has no collector and no probe, and says so."""


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", OPERATIONS)
def test_nothing_makes_it_fail(place: Place, mode: GenerationMode, path: str) -> None:
    schema = schemathesis.openapi.from_url(f"{place.url}/openapi.json")

    @settings(
        max_examples=6,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path]["GET"].as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        if isinstance(case.query, dict):
            case.query.pop("follow", None)  # that answer has no end
        answer = case.call(timeout=PATIENCE)
        if answer.status_code not in AWAY:
            case.validate_response(answer, checks=[not_a_server_error])

    try:
        check()
    except Unsatisfiable:  # what takes anything cannot be asked wrongly
        assert mode is GenerationMode.NEGATIVE
