"""Whatever its contract allows to be asked, and much that it does not, the collector answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from skerry.app.testclient import TestClient
from skerry.collector.app import app
from skerry.collector.settings import CollectorSettings

OPERATIONS = [
    f"{operation.method} {operation.path}"
    for operation in app.contract().operations
    if operation.path.startswith(("/api/v2", "/api/skerry", "/v1"))
]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_makes_it_fail(tmp_path: Path, mode: GenerationMode, operation: str) -> None:
    chosen = CollectorSettings(path=str(tmp_path / "spans.db"))
    with TestClient(app, overrides={CollectorSettings: chosen}).sync:
        schema = schemathesis.openapi.from_asgi("/openapi.json", app)
        method, path = operation.split()

        @settings(
            max_examples=8,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=schema[path][method].as_strategy(generation_mode=mode))
        def check(case: Any) -> None:
            case.call_and_validate(checks=[not_a_server_error])

        try:
            check()
        except Unsatisfiable:  # what takes anything cannot be asked wrongly
            assert mode is GenerationMode.NEGATIVE
