"""The clients that are kept with the example and the benchmark say what their apps say now."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from skerry import App
from skerry.clients.document import Document, load
from skerry.clients.files import check_client
from skerry.clients.header import read_header
from skerry.contract import asyncapi, openapi

ROOT = Path(__file__).parents[2]
TUITION = ROOT / "examples" / "tuition"
CLIENTS = [path for path in sorted(TUITION.glob("*/*/clients/*.py")) if read_header(path)]


def promised(app: App) -> Document:
    """All that an app promises, as clients are written from it."""
    contract = app.contract()
    return load(openapi.document(contract), events=asyncapi.document(contract))


def test_they_are_found() -> None:
    assert {path.relative_to(TUITION).parts[0] for path in CLIENTS} == {
        *("bank", "compliance", "ledger", "notify", "payments", "payouts", "portal", "quotes")
    }


@pytest.mark.parametrize("path", CLIENTS, ids=lambda path: f"{path.parts[-4]}-{path.stem}")
def test_a_client_of_the_fleet_is_current(path: Path, apps: dict[str, App]) -> None:
    header = read_header(path)
    assert header is not None
    assert header.source == f"app:{header.app}"
    stale = check_client(path, promised(apps[header.app]))
    assert stale is None, f"{stale}; `skerry client update examples/tuition` writes it again"


def test_the_client_of_the_benchmark_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    ours = importlib.import_module("bench.servers.ours")
    path = ROOT / "bench" / "servers" / "ours_client.py"
    stale = check_client(path, promised(ours.app))
    assert stale is None, str(stale)
