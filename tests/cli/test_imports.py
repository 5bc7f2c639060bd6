"""A verb imports what it runs: start-up is what people wait for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from skerry.cli.verbs import VERBS

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

# What no verb but `run` and the fleet's own processes need: servers, drivers, frameworks, and
# the code of apps.
NEVER = {
    "aiohttp",
    "click",
    "greeter",
    "httptools",
    "httpx",
    "pydantic",
    "pyreqwest",
    "rich",
    "skerry.app",
    "sqlalchemy",
    "typer",
    "uvicorn",
    "uvloop",
}

LINES = {
    "up": "up --only nobody",
    "down": "down",
    "ps": "ps",
    "logs": "logs",
    "restart": "restart greeter",
    "scale": "scale greeter 2",
    "stop": "stop greeter",
    "start": "start greeter",
    "console": "console",
    "call": "call greeter.greet",
    "trace ls": "trace ls",
    "trace show": "trace show 1",
    "trace links": "trace links 1",
    "errors ls": "errors ls",
    "errors show": "errors show 1",
    "errors resolve": "errors resolve 1",
    "errors reopen": "errors reopen 1",
    "map": "map",
    "endpoints": "endpoints",
    "objectives": "objectives",
    "alerts": "alerts",
    "bus ls": "bus ls",
    "bus peek": "bus peek greeter.greet",
    "bus dead": "bus dead",
    "bus tail": "bus tail",
    "bus publish": "bus publish greeted --json {}",
    "bus redrive": "bus redrive greeter.greet --all",
    "bus purge": "bus purge greeter.greet",
    "bus forget": "bus forget greeter.greet",
    "bus relay": "bus relay --app greeter",
    "tables apply": "tables apply --database sqlite:///greeter.db",
    "tables sql": "tables sql sqlite",
    "tables alembic": "tables alembic -",
    "stack": "stack greeter",
    "contract show": "contract show greeter",
    "contract export": "contract export greeter -",
    "client add": "client add greeter",
    "client update": "client update .",
    "client check": "client check .",
    "new fleet": "new fleet harbour",
    "new app": "new app pilots",
    "init": "init greeter",
    "run": "run greeter",
    "journey ls": "journey ls",
    "journey run": "journey run",
    "journey runs": "journey runs",
    "journey show": "journey show 1",
    "doctor": "doctor",
    "completion": "completion bash",
    "version": "version",
}

NEEDED = {"tables sql": {"sqlalchemy"}, "tables alembic": {"sqlalchemy"}}


def loaded(*words: str, cwd: Path) -> set[str]:
    """The modules that a command line has imported, without what it has printed."""
    code = (
        "import sys; from skerry.cli.main import main\n"
        f"main({list(words)!r}); print('\\0' + '\\n'.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("\0")[2].split())


@pytest.mark.parametrize(
    "words",
    [
        ("ps",),
        ("ps", "--json"),
        ("restart", "greeter"),
        ("--help",),
        ("version",),
        ("ps", "-h"),
        ("completion", "words", "+up", "+--"),
    ],
)
def test_verbs_without_work_import_nothing_heavy(words: tuple[str, ...], tmp_path: Path) -> None:
    assert not loaded(*words, cwd=plant(tmp_path)) & HEAVY


@pytest.mark.parametrize("name", VERBS)
def test_no_verb_imports_servers_or_apps(name: str, tmp_path: Path) -> None:
    assert LINES[name].startswith(name)
    found = loaded(*LINES[name].split(), cwd=plant(tmp_path))
    assert f"skerry.cli.{VERBS[name].place.partition(':')[0]}" in found
    others = {f"skerry.cli.{verb.place.partition(':')[0]}" for verb in VERBS.values()}
    assert len(found & others) <= 2  # its own, and one it shares with
    assert not found & (NEVER - NEEDED.get(name, set()))


def test_a_running_fleet_is_shown_without_them(small: Path) -> None:
    assert not loaded("ps", cwd=small) & HEAVY
    assert not loaded("logs", cwd=small) & HEAVY


def test_a_call_needs_http_and_no_framework(small: Path) -> None:
    found = loaded("call", "greeter.greeting", "name=x", cwd=small)
    assert "http.client" in found
    assert not found & (HEAVY - {"http", "email", "ssl"})
