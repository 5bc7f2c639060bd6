"""A verb imports what it runs: start-up is what people wait for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import plant

HEAVY = {
    "aiohttp",
    "asyncio",
    "click",
    "dataclasses",
    "email",
    "http",
    "importlib.metadata",
    "inspect",
    "msgspec",
    "opentelemetry",
    "pydantic",
    "pyreqwest",
    "rich",
    "skerry.app",
    "skerry.core",
    "skerry.spec",
    "sqlalchemy",
    "ssl",
    "subprocess",
    "tomllib",
    "typer",
    "uvicorn",
    "uvloop",
    "yaml",
}


def loaded(*words: str, cwd: Path) -> set[str]:
    code = (
        "import sys; from skerry.cli.main import main\n"
        f"main({list(words)!r}); print('\\n'.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "words",
    [("ps",), ("ps", "--json"), ("restart", "greeter"), ("--help",), ("version",), ("ps", "-h")],
)
def test_verbs_without_work_import_nothing_heavy(words: tuple[str, ...], tmp_path: Path) -> None:
    assert not loaded(*words, cwd=plant(tmp_path)) & HEAVY


def test_a_running_fleet_is_shown_without_them(small: Path) -> None:
    assert not loaded("ps", cwd=small) & HEAVY
    assert not loaded("logs", cwd=small) & HEAVY


def test_a_call_needs_http_and_no_framework(small: Path) -> None:
    found = loaded("call", "greeter.greeting", "name=x", cwd=small)
    assert "http.client" in found
    assert not found & (HEAVY - {"http", "email", "ssl"})
