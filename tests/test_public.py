"""The public names: the list, what it costs to import it, and that type checkers see the same."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import skerry


def test_every_public_name_is_there() -> None:
    for name in skerry.__all__:
        assert getattr(skerry, name) is not None
    assert not hasattr(skerry, "Ap")


def test_type_checkers_see_the_same_list() -> None:
    stub = Path(skerry.__file__).with_suffix(".pyi").read_text()
    listed = set(re.findall(r"^from (\S+) import (\w+) as \2$", stub, re.MULTILINE))
    assert listed == {(module, name) for name, module in skerry._NAMES.items()}


def test_every_error_is_public() -> None:
    errors = {
        name
        for name, it in vars(importlib.import_module("skerry.core.errors")).items()
        if isinstance(it, type) and issubclass(it, skerry.Error) and not name.startswith("_")
    }
    assert errors <= set(skerry.__all__)


def test_all_settings_are_public() -> None:
    """Whoever can set something can import what it is set with."""
    folders = [Path(skerry.__file__).parent / folder for folder in ("filters", "stack")]
    found = {
        name
        for folder in folders
        for file in folder.glob("*.py")
        for name in re.findall(r"^class (\w+Settings)", file.read_text(), re.MULTILINE)
    }
    assert {"ClientSettings", "RetrySettings"} <= found <= set(skerry.__all__)


def modules_after(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_skerry_imports_next_to_nothing() -> None:
    loaded = modules_after("import skerry")
    heavy = {"asyncio", "msgspec", "uvicorn", "pyreqwest", "rich", "typing_extensions"}
    assert not loaded & heavy
    assert len([name for name in loaded if name.startswith("skerry")]) == 1


def test_an_app_imports_no_extra() -> None:
    loaded = modules_after("from skerry import App; App('a')")
    extras = {"aiohttp", "sqlalchemy", "pydantic", "attrs", "yaml", "a2wsgi", "rich", "ruff"}
    assert not loaded & extras
