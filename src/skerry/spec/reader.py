"""``fleet.toml`` → ``Fleet``: reads it all, checks it all, and tells everything that is wrong.

The way through: text → ``tomllib`` → one pass per table (types, names, keys) → one pass over
the whole (who needs whom, who shares a process, whose port is whose).
"""

from __future__ import annotations

import os.path
import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import checks, keys, manifest
from .detect import NoApp, detect
from .faults import Faults, SpecError, SpecFault, nearest
from .locate import KeyPath, locate
from .model import (
    AlertsSpec,
    AppSpec,
    BackingSpec,
    BusSpec,
    Fleet,
    FrontSpec,
    JourneysSpec,
    ObserveSpec,
)
from .relations import check_relations
from .waves import cycles

FILE = "fleet.toml"


def find(start: str | Path = ".") -> Path:
    """The fleet file of ``start`` or of the nearest folder above it.

    Raises:
        SpecError: there is none.
    """
    folder = Path(start).resolve()
    for place in (folder, *folder.parents):
        if (place / FILE).is_file():
            return place / FILE
    raise _missing(folder)


def load(path: str | Path) -> Fleet:
    """Read a fleet.

    Args:
        path: the file, or the folder it is in.

    Raises:
        SpecError: everything that is wrong with it, with file, line and key.
    """
    file = Path(os.path.abspath(path))
    if file.is_dir():
        file = file / FILE
    try:
        raw = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(file.parent) from None
    except OSError as error:
        raise SpecError(file, [SpecFault(None, "", f"cannot be read: {error.strerror}")]) from None
    return loads(raw, file)


def loads(raw: bytes, file: Path) -> Fleet:
    """Read a fleet from the bytes of ``file``; folders are looked up beside it.

    Raises:
        SpecError: everything that is wrong with it.
    """
    text = _text(raw, file)
    document = _parsed(text, file)
    faults = Faults(locate(text))
    fleet = _Reader(faults, file).fleet(document)
    if faults.found:
        raise SpecError(file, faults.found)
    circles = [
        f"{', '.join(group)} need each other: they start together" for group in cycles(fleet)
    ]
    return replace(fleet, notes=(*fleet.notes, *circles))


def located(app: AppSpec) -> AppSpec:
    """``app`` with what only its files can tell: the application object and its interpreter.

    For an app from git, once its files are there; any other comes back as it is.

    Raises:
        NoApp: no application object is in its folder.
    """
    if app.kind != "app" or app.app is not None:
        return app
    python = app.python or own_python(app.path, None)
    return replace(app, app=detect(app.name, app.path), python=python)


def own_python(folder: Path, given: str | None) -> Path | None:
    """The interpreter of a folder: the one given (a file, or a virtual environment), else that
    of ``.venv`` in the folder. None for neither, and for the environment Skerry itself runs in.
    """
    place = Path(os.path.normpath(folder / (given or ".venv")))
    if not given and place.resolve() == Path(sys.prefix).resolve():
        return None
    for binary in (place / "bin" / "python", place / "Scripts" / "python.exe"):
        if binary.is_file():
            return binary
    return place if given and place.is_file() else None


def _missing(folder: Path) -> SpecError:
    detail = "there is no such file: `skerry init` writes one for what is in this folder, "
    return SpecError(
        folder / FILE, [SpecFault(None, "", detail + "`skerry new fleet NAME` begins a new one")]
    )


def _text(raw: bytes, file: Path) -> str:
    try:
        return raw.decode("utf-8-sig")  # editors on Windows begin a file with U+FEFF
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        detail = f"is not UTF-8: byte {raw[error.start]:#04x} at offset {error.start}"
        raise SpecError(file, [SpecFault(line, "", detail)]) from None


def _parsed(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        detail, line = "is nested too deeply", 1
    except ValueError as error:
        found = re.search(r" ?\(at (?:line (\d+), column (\d+)|end of document)\)", str(error))
        detail = f"is not TOML: {str(error)[: found.start()] if found else error}"
        line = int(found[1]) if found and found[1] else text.count("\n") + 1
        detail += f", at column {found[2]}" if found and found[2] else ""
    raise SpecError(file, [SpecFault(line, "", detail)]) from None


class _Reader:
    def __init__(self, faults: Faults, file: Path) -> None:
        self._faults = faults
        self._file = file
        self._root = file.parent

    def fleet(self, document: dict[str, Any]) -> Fleet:
        for name in document:
            if name not in keys.TABLES:
                self._faults.add((name,), f"no such table{nearest(name, keys.TABLES)}")
        own = self._table(("fleet",), document.get("fleet", {}), "fleet")
        apps = {
            name: self._app(name, table)
            for name, table in self._named("apps", document.get("apps", {}))
        }
        backings = {
            name: self._backing(name, table)
            for name, table in self._named("backings", document.get("backings", {}))
        }
        if not apps and "apps" not in document:
            self._faults.add((), "no apps: give it at least one [apps.NAME]")
        fleet = Fleet(
            name=own.get("name") or self._default_name(),
            root=self._root,
            file=self._file,
            apps=apps,
            backings=backings,
            front=self._front(document["front"]) if "front" in document else None,
            bus=self._bus(document["bus"]) if "bus" in document else BusSpec(),
            observe=self._observe(document.get("observe", {})),
            journeys=self._journeys(document.get("journeys", {})),
            alerts=self._alerts(document.get("alerts", {})),
        )
        together = check_relations(fleet, own.get("together", ()), self._faults)
        return replace(fleet, together=together)

    def _default_name(self) -> str:
        name = re.sub(r"[^a-z0-9]+", "-", self._root.name.lower())[:63].strip("-")
        return name or "fleet"

    def _named(self, kind: str, tables: Any) -> list[tuple[str, dict[str, Any]]]:
        """The tables ``[apps.NAME]`` of a file, those that are tables with a good name."""
        if not isinstance(tables, dict):
            self._faults.add((kind,), f"is a table of tables: [{kind}.NAME]")
            return []
        good = []
        for name, table in tables.items():
            fault = checks.label_fault(name)
            if fault:
                self._faults.add((kind, name), fault)
            elif not isinstance(table, dict):
                self._faults.add((kind, name), f"is a table: [{kind}.{name}]")
            else:
                good.append((name, table))
        return good

    def _table(self, where: KeyPath, table: Any, kind: str) -> dict[str, Any]:
        """The checked values of one table; what is wrong is noted and left out."""
        if not isinstance(table, dict):
            self._faults.add(where, f"is a table: [{kind}]")
            return {}
        known = {key.name: key for key in keys.TABLES[kind]}
        values = {}
        for name, value in table.items():
            if name not in known:
                self._faults.add((*where, name), keys.unknown_key(kind, name))
                continue
            try:
                values[name] = known[name].check(value)
            except checks.Wrong as wrong:
                for below, detail in wrong.faults:
                    self._faults.add((*where, name, *below), detail)
        return values

    def _front(self, table: Any) -> FrontSpec:
        given = self._table(("front",), table, "front")
        if not given.get("routes") and not (isinstance(table, dict) and "routes" in table):
            self._faults.add(("front",), 'has no routes: routes = { "/" = "APP" }')
        return FrontSpec(
            routes=given.get("routes", {}),
            port=given.get("port"),
            host=given.get("host", "127.0.0.1"),
        )

    def _bus(self, table: Any) -> BusSpec:
        given = self._table(("bus",), table, "bus")
        if isinstance(table, dict):
            if "url" in table and "backing" in table:
                self._faults.add(("bus", "backing"), "cannot be beside url: one of them carries it")
            elif not table:
                self._faults.add(("bus",), "says nothing: give it a url or a backing")
        return BusSpec(**given)

    def _observe(self, table: Any) -> ObserveSpec:
        given = self._table(("observe",), table, "observe")
        if "url" in given:
            for key in ("collector", "keep_mib"):
                if key in given:
                    self._faults.add(("observe", key), "is for a collector of the fleet's own")
            given["collector"] = False
        if given.get("console") is False and "port" in given:
            self._faults.add(("observe", "port"), "is the console's, and there is none")
        return ObserveSpec(**given)

    def _journeys(self, table: Any) -> JourneysSpec:
        given = self._table(("journeys",), table, "journeys")
        said = given.get("path", "journeys")
        path = Path(os.path.normpath(self._root / Path(said).expanduser()))
        if not path.exists() and ("path" in given or given.get("probe")):
            key = "path" if "path" in given else "probe"
            detail = f"there is no folder {said} beside fleet.toml"
            self._faults.add(("journeys", key), detail)
        return JourneysSpec(**{**given, "path": path})

    def _alerts(self, table: Any) -> AlertsSpec:
        given = self._table(("alerts",), table, "alerts")
        if isinstance(table, dict) and ("smtp" in table) is not ("sender" in table):
            have, lack = ("smtp", "sender") if "smtp" in table else ("sender", "smtp")
            self._faults.add(("alerts", have), f"needs {lack} beside it")
        return AlertsSpec(**given)

    def _backing(self, name: str, table: dict[str, Any]) -> BackingSpec:
        where = ("backings", name)
        given = self._table(where, table, "backings")
        url, kind = given.get("url"), given.get("kind")
        if url is None:
            if kind is None and "kind" not in table and "url" not in table:
                self._faults.add(where, f"has no kind: {', '.join(keys.KINDS)}; or a url")
            elif kind is not None and kind not in keys.KINDS:
                detail = f'"{kind}" cannot be started here{nearest(kind, keys.KINDS)}; or say url'
                self._faults.add((*where, "kind"), detail)
        for key in ("port", "database"):
            if url is not None and key in given:
                self._faults.add((*where, key), "is for what is started here; url has its own")
        scheme = (url or "").partition(":")[0].partition("+")[0].lower()
        kind = kind or keys.SCHEMES.get(scheme, scheme)
        if "database" in given and kind != "postgresql":
            self._faults.add((*where, "database"), "goes with kind = postgresql")
        return BackingSpec(name, kind, url, given.get("port"), given.get("database"))

    def _app(self, name: str, table: dict[str, Any]) -> AppSpec:
        where = ("apps", name)
        given = self._table(where, table, "apps")
        self._refuse_pairs(where, table)
        found = {key: given[key] for key in _PLAIN if key in given}
        folder = self._folder(name, given)
        own, faults = manifest.read(folder) if "url" not in table else ({}, [])
        for fault in faults:
            self._faults.add(where, fault)
        app = AppSpec(name, folder, **{**own, **found})
        if "git" in given and ".." in Path(given.get("path", "")).parts:
            self._faults.add((*where, "path"), "leads out of the repository")
        if "url" in table or (app.git is not None and not app.path.is_dir()):
            return app
        if not app.path.is_dir():
            self._faults.add((*where, "path"), self._no_folder(app))
            return app
        python = own_python(app.path, given.get("python"))
        if python is None and "python" in given:
            detail = f'"{given["python"]}" is neither an interpreter nor a virtual environment'
            self._faults.add((*where, "python"), detail)
        app = replace(app, python=python)
        if app.kind == "command" or "app" in table or "command" in table:
            return app
        try:
            return replace(app, app=detect(name, app.path))
        except NoApp as error:
            self._faults.add(where, str(error))
            return app

    def _refuse_pairs(self, where: KeyPath, table: dict[str, Any]) -> None:
        """Keys that contradict each other, or lack each other."""
        if "url" in table:
            for key in sorted(table.keys() & _NOT_OUTSIDE):
                self._faults.add((*where, key), "cannot be beside url: the app runs elsewhere")
            return
        if "app" in table and "command" in table:
            self._faults.add((*where, "command"), "cannot be beside app: one of them starts it")
        if ("git" in table) is not ("tag" in table):
            have, lack = ("git", "tag") if "git" in table else ("tag", "git")
            self._faults.add((*where, have), f"needs {lack} beside it")
        if table.get("http") is False:
            if "command" not in table:
                self._faults.add((*where, "http"), "goes with command: an app serves HTTP")
            for key in ("port", "health"):
                if key in table:
                    self._faults.add((*where, key), "cannot be beside http = false")

    def _folder(self, name: str, given: dict[str, Any]) -> Path:
        path = given.get("path")
        if "git" in given and "tag" in given:
            checkout = source_folder(self._root, name, given["tag"])
            return checkout / path if path else checkout
        if path is not None:
            # Without `..`, and without following links: what is printed is what was meant.
            return Path(os.path.normpath(self._root / Path(path).expanduser()))
        own = self._root / name
        # One app at the top of a repository needs no folder of its own.
        named = "url" in given or (not own.is_dir() and ("app" in given or "command" in given))
        return self._root if named else own

    def _no_folder(self, app: AppSpec) -> str:
        beside = app.path.parent
        folders = []
        if beside.is_dir():
            folders = [item.name for item in beside.iterdir() if item.is_dir()]
        near = nearest(app.path.name, (name for name in folders if not name.startswith(".")))
        return f"there is no folder {app.path.name} in {beside.name or beside}{near}"


_PLAIN = (
    *("app", "command", "git", "tag", "url", "instances", "needs", "port"),
    *("env", "health", "http", "owner", "team", "objectives"),
)
_NOT_OUTSIDE = frozenset(keys.key_names("apps")) - {"url", "health", "owner", "team", "objectives"}


def source_folder(root: Path, name: str, tag: str) -> Path:
    """Where the files of an app from git are, once fetched."""
    return root / ".skerry" / "sources" / name / tag.replace("/", "%2F")
