from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from skerry.fleet.up import _reload
from skerry.fleet.watch import changes, differences, look, owners


def seen(root: Path) -> set[str]:
    return {os.path.relpath(path, root) for path in look([root])}


def test_which_files_are_looked_at(tree: Any) -> None:
    for path in (
        "a.py",
        "b/c.html",
        "b/d.db",
        ".env",
        ".venv/x.py",
        "env/pyvenv.cfg",
        "env/x.py",
        "node_modules/x.js",
        "__pycache__/x.py",
        ".git/x.py",
    ):
        tree.write(path, "")
    assert seen(tree.root) == {"a.py", "b/c.html", ".env"}
    assert look([tree.root / "gone"]) == {}


def test_differences(tree: Any) -> None:
    kept, changed, gone = (tree.write(name, "x") for name in ("a.py", "b.py", "c.py"))
    before = look([tree.root])
    changed.write_text("longer")
    gone.unlink()
    fresh = tree.write("d.py", "x")
    assert differences(before, look([tree.root])) == {str(changed), str(gone), str(fresh)}
    assert str(kept) in before


def test_a_file_belongs_to_the_closest_folder() -> None:
    folders = {"all": Path("/f"), "a": Path("/f/a"), "b": Path("/f/b"), "twin": Path("/f/b")}
    assert owners("/f/a/x.py", folders) == {"a"}
    assert owners("/f/b/c/x.py", folders) == {"b", "twin"}
    assert owners("/f/ab/x.py", folders) == {"all"}
    assert owners("/elsewhere/x.py", folders) == set()


async def test_a_burst_is_one_change_and_new_folders_are_none(tree: Any) -> None:
    file = tree.write("a/x.py", "1")
    tree.write("b/y.py", "1")
    folders = [tree.root / "a"]
    stream = changes(lambda: list(folders), 0.01)
    async with asyncio.timeout(10):
        burst = asyncio.create_task(anext(stream))
        await asyncio.sleep(0.03)
        for number in range(5):
            file.write_text("2" * (number + 2))
            await asyncio.sleep(0.02)
        assert await burst == {str(file)}
        assert file.read_text() == "222222"
        folders.append(tree.root / "b")
        later = asyncio.create_task(anext(stream))
        await asyncio.sleep(0.05)
        assert not later.done()
        file.write_text("3")
        assert await later == {str(file)}
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_change_restarts_what_it_concerns(tree: Any, running: Any, until: Any) -> None:
    tree.add("one")
    tree.add("two")
    async with running() as supervisor:
        watching = asyncio.create_task(_reload(supervisor))
        await asyncio.sleep(0.1)

        def pids() -> dict[str, int | None]:
            return {r.name: r.pid for r in supervisor.everything() if r.ready}

        before = pids()
        tree.write("one/one_app/more.py", "x = 1\n")
        after = await until(lambda: len(pids()) == 3 and pids() != before and pids())
        assert {**after, "one-1": 0} == {**before, "one-1": 0}

        before, text = after, tree.text
        tree.write("fleet.toml", text + "[apps.one.typo]\n")
        log = tree.root / ".skerry" / "logs" / "fleet.log"
        await until(lambda: "cannot be used" in log.read_text())
        assert pids() == before

        tree.write("fleet.toml", text.replace("[apps.two]", "[apps.two]\ninstances = 2"))
        after = await until(lambda: len(pids()) == 4 and pids())
        assert {**after, "two-2": 0} == {**before, "two-2": 0}
        watching.cancel()
