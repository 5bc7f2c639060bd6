"""What is executed instead of forked, and apps that bring more than a folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from skerry.fleet import launcher, recipes
from skerry.fleet.status import fleet_status


def rows(supervisor: Any) -> dict[str, Any]:
    return {row.id: row for row in fleet_status(supervisor).instances}


@pytest.fixture
def lean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with uvicorn, and without Skerry."""
    root = tmp_path_factory.mktemp("lean") / ".venv"
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = root / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    (root / "bin").mkdir()
    (root / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    (root / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n")
    site = Path(recipes.__file__).parents[3]
    for name in ("uvicorn", "click", "h11", "typing_extensions"):
        module = sys.modules.get(name) or __import__(name)
        source = Path(module.__file__ or "")
        source = source.parent if source.name == "__init__.py" else source
        (packages / source.name).symlink_to(source)
    assert site not in packages.parents
    return root


async def test_without_forking_all_is_as_with_it(
    tree: Any, running: Any, http: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes, "CAN_FORK", False)
    monkeypatch.setattr(launcher, "CAN_FORK", False)
    tree.text += 'together = [["b", "c"]]\n'
    tree.add("a")
    for name in ("b", "c"):
        tree.add(name, f'app = "{name}_app.main:app"', "")
        source = f"from skerry import App\napp = App({name!r})\n"
        tree.write(f"{name}/{name}_app/__init__.py", "")
        tree.write(f"{name}/{name}_app/main.py", source)
    async with running() as supervisor:
        found = rows(supervisor)
        assert {row.state for row in found.values()} == {"ready"}
        assert found["b-1"].pid == found["c-1"].pid
        assert (await http(found["a-1"].url, "/hello")).json()["instance"] == "a-1"
        assert (await http(supervisor.recipes.front_url(), "/a/hello")).status == 200


async def test_an_app_runs_on_its_own_interpreter(
    tree: Any, running: Any, http: Any, lean: Path
) -> None:
    which = (
        "import sys\nasync def app(scope, receive, send):\n"
        "    if scope['type'] != 'http': raise RuntimeError\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': sys.prefix.encode()})\n"
    )
    tree.add("own", f'python = "{sys.executable}"', which)
    tree.add("lean", "", which)
    made = which.replace("async def app", "async def made") + "def make(): return made\n"
    tree.add("factory", f'python = "{lean / "bin" / "python"}"\napp = "app:make()"', made)
    (tree.root / "lean" / ".venv").symlink_to(lean)
    async with running() as supervisor:
        found = rows(supervisor)
        assert (await http(found["own-1"].url)).body.decode() == sys.prefix
        for name in ("lean-1", "factory-1"):
            prefix = (await http(found[name].url)).body.decode()
            assert os.stat(prefix) == os.stat(lean)


async def test_an_app_from_git(tree: Any, running: Any, http: Any, tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed: apt-get install git")
    origin = tmp_path / "origin"
    tree.write("origin/app.py", "from skerry import App\napp = App('far')\n")
    author = "-c user.name=x -c user.email=x@example.org"
    for command in ("init -q", "add .", f"{author} commit -qm first", "tag v1"):
        run = partial(subprocess.run, ["git", "-C", str(origin), *command.split()], check=True)
        await asyncio.to_thread(run)
    tree.add("far", f'git = "{origin}"\ntag = "v1"', "")
    tree.add("lost", f'git = "{origin}"\ntag = "v2"', "")
    async with running() as supervisor:
        found = rows(supervisor)
        assert found["far-1"].state == "ready"
        assert (await http(found["far-1"].url, "/livez")).status == 200
        assert found["lost-1"].state == "crashed"
        assert "has no tag v2" in found["lost-1"].detail


async def test_a_backing_is_there_before_who_needs_it(
    tree: Any, running: Any, http: Any, until: Any
) -> None:
    if not (shutil.which("redis-server") or shutil.which("valkey-server")):
        pytest.skip("Redis is not installed: apt-get install redis-server")
    tree.text += '[backings.store]\nkind = "redis"\n'
    source = """
        import os, socket
        from urllib.parse import urlsplit
        from skerry import App

        app = App("one")
        there = urlsplit(os.environ["STORE_URL"])
        with socket.create_connection((there.hostname, there.port)) as connection:
            connection.sendall(b"PING\\r\\n")
            said = connection.recv(10)

        @app.get("/said")
        async def hear() -> str:
            return said.decode().strip()
    """
    tree.add("one", 'needs = ["store"]', source)
    async with running() as supervisor:
        found = rows(supervisor)
        assert (await http(found["one-1"].url, "/said")).json() == "+PONG"
        (store,) = fleet_status(supervisor).backings
        assert (store.id, store.state, store.kind) == ("store", "ready", "backing")


async def test_a_backing_that_cannot_start_is_told_by_whoever_needs_it(
    tree: Any, running: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    tree.text += '[backings.store]\nkind = "redis"\n'
    tree.add("one", 'needs = ["store"]')
    tree.add("two")
    async with running(crashes=1) as supervisor:
        found = rows(supervisor)
        status = fleet_status(supervisor)
        assert [app.state for app in status.apps] == ["crashed", "ready"]
        (store,) = status.backings
        assert store.state == "crashed"
        assert "Redis is not installed" in store.detail
        replica = supervisor.replicas["one"][0]
        assert "waits for store: store: Redis is not installed" in replica.detail
        assert found["two-1"].state == "ready"
