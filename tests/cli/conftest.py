"""Command lines run in this process, or as processes of their own beside a little fleet."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from skerry.cli.main import main

GREETER = '''
    """Greets."""
    import os
    from typing import Annotated
    from msgspec import Struct
    from skerry import App, Header, Problem

    print("greeter is here", flush=True)
    app = App("greeter", version="1.2.0")

    class Greeting(Struct):
        text: str
        times: int = 1

    class Said(Struct):
        text: str
        by: str

    class Rude(Problem, status=422):
        """Nobody says that here."""

        word: str

    @app.post("/greetings", status=201, raises=[Rude])
    async def greet(new: Greeting, loud: bool = False) -> Said:
        """Say something."""
        if new.text == "rude":
            raise Rude(word="rude")
        text = " ".join([new.text] * new.times)
        return Said(text.upper() if loud else text, os.environ.get("SKERRY_INSTANCE", ""))

    @app.get("/greetings/{name}")
    async def greeting(name: str, tenant: Annotated[str, Header("x-tenant")] = "") -> Said:
        """What was said."""
        return Said(name, tenant)
'''

PLAIN = """
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"plain"})
"""


class Ran(NamedTuple):
    """What came of a command line."""

    status: int
    out: str
    err: str


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command line in this process."""

    def run(*words: str) -> Ran:
        capfd.readouterr()
        status = main(words)
        out, err = capfd.readouterr()
        return Ran(status, out, err)

    return run


def spawn(*words: str, cwd: Path, **options: Any) -> Ran:
    """Run a command line as people do."""
    environment = {name: value for name, value in os.environ.items() if name != "SKERRY_DEBUG"}
    done = subprocess.run(
        [sys.executable, "-m", "skerry.cli.main", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is in no fleet, as the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plant(root: Path) -> Path:
    """Write a fleet of two apps, one that Skerry knows and one that it does not."""
    files = {
        "fleet.toml": """
            [fleet]
            name = "small"
            [apps.greeter]
            [apps.plain]
            needs = ["greeter"]
        """,
        "greeter/greeter/__init__.py": "",
        "greeter/greeter/app.py": GREETER,
        "plain/app.py": PLAIN,
    }
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    return root


@pytest.fixture
def planted(empty: Path) -> Path:
    """A fleet that does not run, in the current folder."""
    return plant(empty)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A fleet that runs."""
    root = plant(tmp_path_factory.mktemp("small"))
    up = spawn("up", "--detach", cwd=root)
    try:
        assert up.status == 0, up
        yield root
    finally:
        spawn("down", cwd=root)
