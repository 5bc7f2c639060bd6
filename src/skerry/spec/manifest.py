"""What an app's own ``pyproject.toml`` says of it, so that it moves with the app's repository."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from . import checks, keys

FILE = "pyproject.toml"


def read(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """The manifest of the app in ``folder``: its ``[tool.skerry]``; nothing where there is none.

    Returns:
        the values that are right, and what is wrong with the others.
    """
    try:
        document = tomllib.loads((folder / FILE).read_text("utf-8"))
    except OSError:
        return {}, []
    except ValueError as error:  # pip will have more to say of it; here it concerns two keys
        return {}, [f"{FILE} is not TOML: {error}"]
    tool = document.get("tool", {})
    table = tool.get("skerry", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        return {}, [f"{FILE}: tool.skerry is a table"]
    known = {key.name: key for key in keys.MANIFEST}
    values: dict[str, Any] = {}
    faults = []
    for name, value in table.items():
        if name not in known:
            faults.append(f"{FILE}: tool.skerry.{name}: no such key; there are {', '.join(known)}")
            continue
        try:
            values[name] = known[name].check(value)
        except checks.Wrong as wrong:
            for below, detail in wrong.faults:
                where = ".".join(map(str, (name, *below)))
                faults.append(f"{FILE}: tool.skerry.{where}: {detail}")
    return values, faults
