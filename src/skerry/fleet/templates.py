"""The files that ``skerry new`` writes; ``$name`` and the like are filled in."""

from __future__ import annotations

from string import Template

FLEET = {
    "fleet.toml": """\
[fleet]
name = "$name"

# The front door: one address for people, in front of all apps.
# [front]
# port = 8080
# routes = { "/" = "portal" }

# `skerry new app NAME` writes an app and adds it below.
[apps]
""",
    ".gitignore": """\
.skerry/
.venv/
__pycache__/
""",
}

APP = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "$name"
version = "0.1.0"
description = "Says hello, until it is told something better."
requires-python = ">=3.11"
dependencies = ["skerry>=$skerry"]

[dependency-groups]
dev = ["pytest>=8.3", "pytest-asyncio>=1.0"]

[tool.hatch.build.targets.wheel]
packages = ["$package"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]
asyncio_mode = "auto"
""",
    "$package/__init__.py": "",
    "$package/app.py": '''\
"""$name: says hello, until it is told something better."""

from __future__ import annotations

from msgspec import Struct

from skerry import App, Problem

app = App("$name", version="0.1.0")


class Greeting(Struct):
    text: str


class Nameless(Problem, status=422):
    """Nobody can be greeted who has no name."""

    name: str


@app.get("/greetings/{name}", raises=[Nameless])
async def greet(name: str) -> Greeting:
    """Greet whoever is named."""
    if not name.strip():
        raise Nameless(name=name)
    return Greeting(f"Hello, {name}.")
''',
    "tests/test_app.py": """\
from __future__ import annotations

from skerry import TestClient

from $package.app import app


async def test_greets_by_name() -> None:
    async with TestClient(app) as client:
        answer = await client.get("/greetings/Ada")
        assert answer.status == 200
        assert answer.json() == {"text": "Hello, Ada."}


async def test_nobody_is_a_problem() -> None:
    async with TestClient(app) as client:
        answer = await client.get("/greetings/%20")
        assert answer.status == 422
        assert answer.json()["title"] == "Nobody can be greeted who has no name"
""",
}


def filled(files: dict[str, str], **words: str) -> dict[str, str]:
    """Paths and contents with the words in their places."""
    return {
        Template(path).substitute(words): Template(text).substitute(words)
        for path, text in files.items()
    }
