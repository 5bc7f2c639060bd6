"""``skerry new fleet`` and ``skerry new app``: the first files of each, ready to run."""

from __future__ import annotations

import keyword
import os
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

from skerry.core.errors import ConfigError
from skerry.spec import FILE, SpecError, load, loads
from skerry.spec.checks import label_fault

from . import templates


def new_fleet(folder: Path) -> Path:
    """Write the files of a fleet without apps, named like its folder.

    Returns:
        Its ``fleet.toml``.

    Raises:
        ConfigError: the name is none, or the folder has something in it.
    """
    folder = folder.absolute()
    fault = label_fault(folder.name)
    if fault:
        raise ConfigError(fault)
    _write(folder, templates.filled(templates.FLEET, name=folder.name))
    return folder / FILE


def new_app(root: Path, name: str) -> Path:
    """Write an app with its test, and add it to the fleet; the rest of its file stays as it is.

    Args:
        root: the fleet's folder.

    Returns:
        The app's folder.

    Raises:
        SpecError: the fleet has faults already.
        ConfigError: the name is none or is taken, or the folder has something in it.
    """
    fleet = load(root)
    package = _package(name)
    if name in fleet.apps or name in fleet.backings:
        kind = "an app" if name in fleet.apps else "a backing"
        raise ConfigError(f"{fleet.file}: there is {kind} called {name} already")
    folder = fleet.root / name
    words = {"name": name, "package": package, "skerry": version("skerry")}
    _write(folder, templates.filled(templates.APP, **words))
    try:
        _append(fleet.file, name)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return folder


def _package(name: str) -> str:
    """The Python package of an app.

    Raises:
        ConfigError: no app can be called that.
    """
    fault = label_fault(name)
    package = name.replace("-", "_")
    if fault is None and (keyword.iskeyword(package) or not package.isidentifier()):
        fault = f'"{name}" cannot name an app: Python takes no package called {package}'
    elif fault is None and package in {*sys.stdlib_module_names, "skerry", "tests"}:
        fault = f'"{name}" cannot name an app: its package would hide the module {package}'
    if fault:
        raise ConfigError(fault)
    return package


def _write(folder: Path, files: dict[str, str]) -> None:
    """All files or none: they are written beside the folder, which then takes its name."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder}: is there already, and nothing in it is overwritten")
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        for path, text in files.items():
            file = fresh / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        if folder.is_dir():
            folder.rmdir()
        fresh.rename(folder)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise ConfigError(f"{folder}: cannot be written: {error.strerror}") from None


def _append(file: Path, name: str) -> None:
    """Add ``[apps.NAME]`` at the end of the file, whose own bytes stay as they are."""
    before = file.read_bytes()
    end = b"\r\n" if b"\r\n" in before else b"\n"
    gap = b"" if before.endswith(b"\n") or not before else end
    after = before + gap + end + f"[apps.{name}]".encode() + end
    try:
        loads(after, file)
    except SpecError as error:
        # apps = {…} in one line, for one, cannot be added to from outside.
        raise ConfigError(f"{file}: [apps.{name}] cannot be added at its end: {error}") from None
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_bytes(after)
    shutil.copymode(file, fresh)
    os.replace(fresh, file)
