from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from skerry.core.errors import ConfigError
from skerry.fleet.plan import (
    Addresses,
    app_environment,
    has_package,
    is_foreign,
    shell_command,
    to_preload,
    units,
)
from skerry.spec import AppSpec, load


def names(tree: Any, *only: str) -> list[list[str]]:
    return [sorted(unit.name for unit in wave) for wave in units(load(tree.root), only or None)]


def test_units_come_in_waves_of_need(tree: Any) -> None:
    tree.add("a", 'needs = ["b", "c"]')
    tree.add("b", 'needs = ["c"]')
    tree.add("c")
    tree.add("far", 'url = "https://far.example"', "")
    assert names(tree) == [["c"], ["b"], ["a"]]
    assert names(tree, "b") == [["c"], ["b"]]


def test_a_group_is_one_unit_and_starts_with_its_first_member(tree: Any) -> None:
    tree.text += 'together = [["a", "c"]]\n'
    tree.add("a", 'needs = ["b"]\ninstances = 2')
    tree.add("b", 'needs = ["c"]')
    tree.add("c", "instances = 2")
    assert names(tree) == [["together.1"], ["b"]]
    (group,), _ = units(load(tree.root))
    assert [app.name for app in group.members] == ["a", "c"]
    assert group.instances == 2
    assert group.grouped


def test_a_change_of_scale_is_no_other_change() -> None:
    from skerry.fleet.plan import Unit

    one = Unit("a", (AppSpec("a", Path("/a"), app="a:app"),))
    two = Unit("a", (AppSpec("a", Path("/a"), app="a:app", instances=2),))
    other = Unit("a", (AppSpec("a", Path("/a"), app="b:app"),))
    assert one.same_but_for_scale(two)
    assert not one.same_but_for_scale(other)


def test_an_apps_variables() -> None:
    app = AppSpec(
        "a",
        Path("/a"),
        needs=("b", "store"),
        env={"HOST": "{store.host}", "PEER": "{b.url}/x", "PLAIN": "{1}", "OTHER": "{c.url}"},
    )
    addresses = Addresses(
        backings={("a", "store"): "redis://127.0.0.1:6379", ("z", "store"): "redis://other:1"},
        apps={"b": "http://127.0.0.1:1", "c": "http://127.0.0.1:3"},
        edges={("a", "b"): "http://127.0.0.1:2"},
    )
    assert app_environment(app, addresses) == {
        "B_URL": "http://127.0.0.1:2",
        "STORE_URL": "redis://127.0.0.1:6379",
        "HOST": "127.0.0.1",
        "PEER": "http://127.0.0.1:2/x",
        "PLAIN": "{1}",
        "OTHER": "http://127.0.0.1:3",
    }
    nowhere = AppSpec("a", Path("/a"), env={"X": "{gone.url}"})
    with pytest.raises(ConfigError, match=r"apps\.a\.env\.X: .*gone has no address"):
        app_environment(nowhere, addresses)


@pytest.mark.parametrize(
    ("command", "run"),
    [
        ("flask run --port $PORT", "exec flask run --port $PORT"),
        ("bin/x | tee log", "bin/x | tee log"),
        ("make && ./x", "make && ./x"),
        ("A=1 ./x", "A=1 ./x"),
        ("cd sub; ./x", "cd sub; ./x"),
        ("exec ./x", "exec ./x"),
    ],
)
def test_a_shell_makes_room_for_a_single_command(command: str, run: str) -> None:
    assert shell_command(command) == ("/bin/sh", "-c", run)


def test_whether_an_environment_has_a_package(tree: Any) -> None:
    python = tree.write("a/.venv/bin/python", "")
    assert not has_package(python, "skerry")
    tree.write("a/.venv/lib/python3.11/site-packages/skerry/__init__.py", "")
    assert has_package(python, "skerry")
    assert has_package(Path(sys.executable), "uvicorn")


def test_what_is_foreign_and_what_is_worth_preloading(tree: Any) -> None:
    tree.add("own")
    tree.add("fast", source="import sqlalchemy\nfrom fastapi import FastAPI\napp = FastAPI()\n")
    flask = "from flask import Flask\n\n  \nimport sqlalchemy.orm\napp = Flask('x')\n"
    tree.add("flask", source=flask)
    tree.write("flask/node_modules/x.py", "import skerry, fastapi")
    fleet = load(tree.root)
    foreign = {name for name, app in fleet.apps.items() if is_foreign(app)}
    assert foreign == {"fast", "flask"}
    assert to_preload(fleet.apps.values()) == ("sqlalchemy",)
