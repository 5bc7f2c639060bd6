"""Verbs about generated clients: add, update, check."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .apps import document_of
from .output import echo_json, fail, note
from .place import fleet_file

_OF_APP = "app:"  # how a module says that it is from an app of its fleet


def add(source: str, target: str, name: str, plain: bool, file: str) -> int:
    """Write the client of an app, a file or a URL."""
    from skerry.clients.files import write_client

    origin, contract, called = _source(file, source)
    path = Path(target) if target else default_folder(Path.cwd()) / f"{_module(name or called)}.py"
    written = write_client(contract, path, name or called, plain=plain, origin=origin)
    said = f"{written.operations} operations, {written.models} models"
    said += f", {written.events} events" if written.events else ""
    print(f"wrote {written.path}: {said}")
    for operation, why in written.left_out:
        note(f"left out {operation}: {why}")
    return 0


def _source(file: str, source: str) -> tuple[str, Any, str]:
    """Where a contract comes from: its origin for the module, the contract, a name."""
    parts = urlsplit(source)
    if parts.scheme in ("http", "https"):
        last = parts.path.rstrip("/").rpartition("/")[2].partition(".")[0]
        general = last in ("", "openapi", "asyncapi", "swagger")
        return "", source, str(parts.hostname) if general else last
    path = Path(source)
    if path.suffix in (".json", ".yaml", ".yml") or path.is_file():
        return "", source, path.name.partition(".")[0]
    return f"{_OF_APP}{source}", _contract(file, source), source


def _contract(file: str, name: str) -> Any:
    """The contract of an app of the fleet, with its events where it has any."""
    document = document_of(file, name)
    if "x-asyncapi" not in document:
        return document
    from skerry.clients.document import load

    return load(document, name=name, events=document_of(file, name, "events"))


def _module(name: str) -> str:
    module = "".join(letter if letter.isalnum() else "_" for letter in name).strip("_").lower()
    return f"_{module}" if module[:1].isdigit() else module or "api"


def default_folder(here: Path) -> Path:
    """Where clients are kept: beside the code, in the package that is named like its folder."""
    package = here / here.name.replace("-", "_")
    return (package if (package / "__init__.py").is_file() else here) / "clients"


def update(paths: list[str], file: str) -> int:
    """Write stale modules again."""
    from skerry.clients.files import update_client

    contracts = _Contracts(file)
    for module in _modules(paths):
        written = update_client(module, contracts.of(module))
        print(f"{'updated' if written.changed else 'current'}  {module}")
    return 0


def check(paths: list[str], as_json: bool, file: str) -> int:
    """Say which modules are stale; 1 if any is."""
    from skerry.clients.files import check_client

    contracts = _Contracts(file)
    found = []
    for module in _modules(paths):
        stale = check_client(module, contracts.of(module))
        found.append({"path": str(module), "stale": str(stale) if stale else None})
    if as_json:
        echo_json(found)
    else:
        for entry in found:
            print(entry["stale"] or f"current  {entry['path']}")
    if any(entry["stale"] for entry in found):
        note("`skerry client update` writes them again")
        return 1
    return 0


def _modules(paths: list[str]) -> list[Path]:
    """The generated modules that are meant: files, or all below folders.

    Raises:
        Failed: there are none.
    """
    found = [module for path in map(Path, paths or ["."]) for module in _below(path)]
    if not found:
        fail(
            f"no generated client is in {', '.join(paths) or 'this folder'}; "
            "`skerry client add NAME` writes one"
        )
    return found


def _below(path: Path) -> Iterator[Path]:
    from skerry.clients.header import read_header

    if path.is_file():
        yield path
        return
    if not path.is_dir():
        fail(f"{path}: there is no such file or folder")
    for folder in sorted(path.iterdir()):
        if folder.is_dir() and not folder.is_symlink():
            # What begins with a dot is not ours: virtual environments, the fleet's own state.
            if not folder.name.startswith(".") and folder.name != "node_modules":
                yield from _below(folder)
        elif folder.suffix == ".py" and read_header(folder) is not None:
            yield folder


class _Contracts:
    """Contracts of the fleet's apps, each asked for once.

    Args:
        file: the fleet's file as it was given; else the one above each module.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._known: dict[tuple[str, str], Any] = {}

    def of(self, module: Path) -> Any:
        """The contract of a module; None where it says itself where that is."""
        from skerry.clients.header import read_header

        header = read_header(module)
        if header is None or not header.source.startswith(_OF_APP):
            return None
        key = self._fleet_of(module), header.source.removeprefix(_OF_APP)
        if key not in self._known:
            self._known[key] = _contract(*key)
        return self._known[key]

    def _fleet_of(self, module: Path) -> str:
        if self._file:
            return self._file
        for folder in module.absolute().parents:
            if (folder / "fleet.toml").is_file():
                return str(folder / "fleet.toml")
        return str(fleet_file(""))
