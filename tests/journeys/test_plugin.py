"""Journeys under pytest, in a pytest of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from .support import Shop, served, write

JOURNEYS = """
    @journey
    async def looks(http: Http) -> None:
        with step("look"):
            assert (await http.get("/")).ok().text

    @journey
    async def fails(shop: DynamicClient) -> None:
        with step("order"):
            order = await shop.create_order({"what": "tea"})
        with step("check"):
            assert order.state == "paid"
"""


class Ran(NamedTuple):
    status: int
    out: str


def run_pytest(cwd: Path, *arguments: str) -> Ran:
    line = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "skerry.journeys.plugin",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*line, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "200", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    return Ran(done.returncode, done.stdout + done.stderr)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "journeys/shop.py", JOURNEYS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


async def by_url(shop: Shop, folder: Path, *arguments: str) -> Ran:
    import asyncio

    async with served(shop.app) as url:
        urls = [f"--journey-url=shop={url}", f"--journey-url=front={url}"]
        return await asyncio.to_thread(run_pytest, folder, *urls, *arguments)


async def test_each_is_a_test(shop: Shop, folder: Path) -> None:
    ran = await by_url(shop, folder, "journeys", "-v")
    assert ran.status == 1
    assert "journeys/shop.py::looks PASSED" in ran.out
    assert "journeys/shop.py::fails FAILED" in ran.out
    assert "order.state is 'new'" in ran.out
    assert "✓ order" in ran.out
    assert "✗ check" in ran.out
    assert re.search(r"trace [0-9a-f]{32}", ran.out)
    assert "perform.py" not in ran.out  # not our insides


async def test_one_by_name_and_nothing_else(shop: Shop, folder: Path) -> None:
    ran = await by_url(shop, folder, "journeys/shop.py::looks")
    assert (ran.status, "1 passed" in ran.out) == (0, True)
    ran = await by_url(shop, folder, "-k", "looks")
    assert (ran.status, "1 passed, 1 deselected" in ran.out) == (0, True)


def test_asked_for_without_a_fleet_they_fail(folder: Path) -> None:
    ran = run_pytest(folder, "journeys")
    assert ran.status == 1
    assert "fleet.toml: there is no such file" in ran.out
    (folder / "fleet.toml").write_text('[fleet]\nname = "f"\n')
    ran = run_pytest(folder, "journeys/shop.py::looks")
    assert ran.status == 1
    assert "no fleet is running in" in ran.out
    assert "--journey-in-process" in ran.out
    assert "Traceback" not in ran.out


def test_along_with_other_tests_they_are_skipped_without_a_fleet(folder: Path) -> None:
    (folder / "fleet.toml").write_text('[fleet]\nname = "f"\n')
    (folder / "test_other.py").write_text("def test_other(): pass\n")
    ran = run_pytest(folder, "-rs")
    assert ran.status == 0
    assert "1 passed, 2 skipped" in ran.out
    assert "no fleet is running in" in ran.out


def test_the_apps_of_the_fleet_in_the_process_of_the_tests(folder: Path) -> None:
    (folder / "fleet.toml").write_text(
        '[fleet]\nname = "f"\n[front]\nroutes = { "/" = "shop" }\n'
        '[apps.shop]\napp = "shop_inside.app:app"\n'
    )
    (folder / "shop" / "shop_inside").mkdir(parents=True)
    (folder / "shop" / "shop_inside" / "__init__.py").touch()
    (folder / "shop" / "shop_inside" / "app.py").write_text(
        "from skerry import App, text\n"
        "from skerry import Response\n"
        "app = App('shop')\n"
        "@app.get('/', media_type='text/plain')\n"
        "async def front() -> Response:\n    return text('hello')\n"
    )
    ran = run_pytest(folder, "journeys/shop.py::looks", "--journey-in-process")
    assert (ran.status, "1 passed" in ran.out) == (0, True), ran.out


def test_files_that_cannot_be_used_are_errors_of_collection(folder: Path) -> None:
    write(folder, "journeys/broken.py", "1 / 0\n@journey\nasync def x() -> None: ...\n")
    write(folder, "journeys/odd.py", "@journey\nasync def x(y: int) -> None: ...\n")
    ran = run_pytest(folder, "journeys")
    assert ran.status == 2
    assert "cannot be imported: ZeroDivisionError" in ran.out
    assert "nothing provides 'y': int" in ran.out


def test_other_files_are_left_alone(folder: Path) -> None:
    write(folder, "journeys/helper.py", "raise RuntimeError('imported')")
    write(folder, "elsewhere/shop.py", JOURNEYS)
    ran = run_pytest(folder, "--collect-only", "-q")
    assert ran.status == 0
    assert sorted(re.findall(r"^(\S+::\S+)$", ran.out, re.M)) == [
        "journeys/shop.py::fails",
        "journeys/shop.py::looks",
    ]


def test_pytest_loads_next_to_nothing_for_it() -> None:
    code = "import skerry.journeys.plugin, sys; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = [name for name in done.stdout.split() if name.startswith("skerry")]
    assert ours == ["skerry", "skerry.journeys", "skerry.journeys.plugin"]
    assert "msgspec" not in done.stdout.split()
