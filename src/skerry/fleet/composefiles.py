"""The files of a compose project, made one: overrides, includes, ``extends`` and variables.

What comes out is what ``docker compose config`` would show of the services, as far as a fleet
has any use for it. (The Compose Specification, compose-spec.io: merge, include, extends,
interpolation.)
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from skerry.core.errors import ConfigError

from .drafts import read_dotenv

FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")

_OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_EXAMPLES = (".env.example", ".env.sample", ".env.template", ".env.dist", "env.example")
_RELATED = re.compile(r"(?:docker-)?compose[.-].+\.ya?ml")
_VARIABLE = re.compile(
    r"\$(?:(\$)|\{(\w+)(?:(:?[-?+])((?:[^{}]|\$?\{[^{}]*\})*))?\}|([A-Za-z_]\w*))"
)
_REPLACED = ("command", "entrypoint", "test")  # lists that are one thing, not several
_NAMED = ("environment", "labels", "args", "depends_on", "networks", "extra_hosts")
_DEEPEST = 20  # files that include each other, services that extend each other


class _Instead(NamedTuple):
    """A value with the tag ``!override``; with ``!reset``, none."""

    value: Any


class Project:
    """Everything that a compose file and those around it say.

    Args:
        file: the one that ``docker compose`` would begin with.

    Attributes:
        name: as the files say, or None.
        services: by name, with everything merged and filled in.
        variables: what ``.env`` sets.
        notes: whom or what it is about, and what was not understood, or not there.

    Raises:
        ConfigError: one of them is not YAML, or not a compose file.
    """

    def __init__(self, file: Path) -> None:
        self.folder = file.parent
        self.notes: list[tuple[str, str]] = []
        self.variables = read_dotenv(text_of(self.folder / ".env"))
        self._missing: dict[str, str] = {}
        files = self._files(file)
        document: dict[str, Any] = {}
        for one in files:
            document = merged(document, self._read(one))
        document = untagged(document)
        self.name = document["name"] if isinstance(document.get("name"), str) else None
        self.services: dict[str, dict[str, Any]] = document.get("services") or {}
        if not self.services:
            raise ConfigError(f"{file}: there are no services in it")
        self._note_what_is_missing(files)

    def filled(self, value: Any, *, told: bool = True) -> Any:
        """``value`` with ``${NAME:-default}`` filled in everywhere.

        Args:
            told: whether variables without a value are worth a note.
        """
        if isinstance(value, str):
            return _VARIABLE.sub(lambda found: self._variable(found, told), value)
        if isinstance(value, list):
            return [self.filled(item, told=told) for item in value]
        if isinstance(value, dict):
            return {key: self.filled(item, told=told) for key, item in value.items()}
        if isinstance(value, _Instead):
            return _Instead(self.filled(value.value, told=told))
        return value

    # -- files -----------------------------------------------------------------------------

    def _files(self, file: Path) -> list[Path]:
        """Those that ``docker compose`` reads when it is told of none, in order."""
        chosen = self.variables.get("COMPOSE_FILE")
        if chosen:
            between = self.variables.get("COMPOSE_PATH_SEPARATOR", ":")
            return [self.folder / name for name in chosen.split(between) if name]
        override = next((self.folder / n for n in _OVERRIDES if (self.folder / n).is_file()), None)
        return [file] if override is None else [file, override]

    def _read(self, file: Path, deep: int = 0) -> dict[str, Any]:
        """One file with what it includes, its paths relative to the project."""
        document = self.filled(_parsed(file))
        base: dict[str, Any] = {}
        for entry in listed(document.pop("include", None)):
            paths = listed(entry.get("path") if isinstance(entry, dict) else entry)
            for path in map(str, paths):
                if deep > _DEEPEST or not (file.parent / path).is_file():
                    self.notes.append((path, f"is included by {file.name}, but cannot be read"))
                else:
                    base = merged(base, self._read(file.parent / path, deep + 1))
        services = document.get("services")
        services = services if isinstance(services, dict) else {}
        document["services"] = {
            str(name): self._extended(str(name), file, services) for name in services
        }
        whole: dict[str, Any] = merged(base, document)
        return whole

    def _extended(
        self, name: str, file: Path, services: Mapping[Any, Any], deep: int = 0
    ) -> dict[str, Any]:
        """One service with what it extends."""
        service = services.get(name)
        service = dict(service) if isinstance(service, dict) else {}
        extends = service.pop("extends", None)
        if not extends:
            return rebased(service, file.parent, self.folder)
        where = extends if isinstance(extends, dict) else {"service": extends}
        other, there = str(where.get("service")), file
        if where.get("file"):
            there = file.parent / str(where["file"])
            services = {}
            if there.is_file():
                services = self.filled(_parsed(there)).get("services") or {}
        if deep > _DEEPEST or other not in services:
            self.notes.append((name, f"extends {other} of {there.name}, which is not there"))
            return rebased(service, file.parent, self.folder)
        base = self._extended(other, there, services, deep + 1)
        extended: dict[str, Any] = merged(base, rebased(service, file.parent, self.folder))
        return extended

    # -- variables -------------------------------------------------------------------------

    def _variable(self, found: re.Match[str], told: bool) -> str:
        if found[1]:
            return "$"
        name, operator, word = found[2] or found[5], found[3] or "", found[4] or ""
        value = self.variables.get(name)
        given = bool(value) if operator.startswith(":") else value is not None
        if operator.endswith("+"):
            return str(self.filled(word, told=told)) if given else ""
        if operator.endswith("-") and not given:
            return str(self.filled(word, told=told))
        if value is None and told:
            self._missing.setdefault(name, word)
        return value or ""

    def _note_what_is_missing(self, files: Iterable[Path]) -> None:
        for name, why in self._missing.items():
            self.notes.append(
                (name, "has no value in .env and is taken as empty" + (f" ({why})" if why else ""))
            )
        example = next((n for n in _EXAMPLES if (self.folder / n).is_file()), None)
        if self._missing and example and not (self.folder / ".env").exists():
            self.notes.append(
                (example, "copy it to .env, fill it in, and `skerry init --overwrite` reads it")
            )
        read = {file.resolve() for file in files}
        for entry in sorted(self.folder.glob("*compose*.y*ml")):
            if entry.resolve() not in read and _RELATED.fullmatch(entry.name):
                self.notes.append(
                    (entry.name, "not read: nor does `docker compose` unless told with -f")
                )


def merged(base: Any, over: Any, key: str = "") -> Any:
    """Two values of the same key, ``over`` from the later file."""
    if isinstance(over, _Instead):
        return over  # still: what it replaces may be in a file before this one
    base = untagged(base)
    if key in _NAMED:
        base, over = _by_name(base), _by_name(over)
    if isinstance(over, dict):
        known = base if isinstance(base, dict) else {}
        return known | {name: merged(known.get(name), it, str(name)) for name, it in over.items()}
    if isinstance(base, list) and isinstance(over, list) and key not in _REPLACED:
        return base + [item for item in over if item not in base]
    return base if over is None else over


def untagged(value: Any) -> Any:
    """``value`` with the tags done that are left in it."""
    if isinstance(value, _Instead):
        return untagged(value.value)
    if isinstance(value, dict):
        return {key: untagged(item) for key, item in value.items()}
    return [untagged(item) for item in value] if isinstance(value, list) else value


def _by_name(value: Any) -> Any:
    """``["A=1", "B"]`` → ``{"A": "1", "B": None}``; anything else as it is."""
    if not isinstance(value, list):
        return value
    pairs = (str(item).partition("=") for item in value)
    return {name: text if sign else None for name, sign, text in pairs}


def rebased(service: dict[str, Any], folder: Path, project: Path) -> dict[str, Any]:
    """A service whose paths are relative to ``folder``, with paths relative to ``project``."""
    if folder.resolve() == project.resolve():
        return service

    def moved(path: Any) -> Any:
        if not isinstance(path, str) or "://" in path or path.startswith(("/", "~")):
            return path
        return os.path.relpath((folder / path).resolve(), project.resolve())

    service = dict(service)
    build = service.get("build")
    if isinstance(build, dict):
        service["build"] = {**build, "context": moved(build.get("context") or ".")}
    elif build:
        service["build"] = moved(build)
    if service.get("env_file"):
        service["env_file"] = [
            {**entry, "path": moved(entry.get("path"))} if isinstance(entry, dict) else moved(entry)
            for entry in listed(service["env_file"])
        ]
    volumes = []
    for volume in listed(service.get("volumes")):
        if isinstance(volume, str) and volume.startswith("."):
            here, sign, there = volume.partition(":")
            volume = f"./{moved(here)}{sign}{there}"
        volumes.append(volume)
    return service | ({"volumes": volumes} if volumes else {})


def _parsed(file: Path) -> dict[str, Any]:
    import yaml

    class Loader(yaml.SafeLoader):
        """Knows the two tags that compose has of its own."""

    def instead(loader: Any, suffix: str, node: Any) -> Any:
        if suffix == "reset":
            return _Instead(None)
        if isinstance(node, yaml.MappingNode):
            return _Instead(loader.construct_mapping(node, deep=True))
        if isinstance(node, yaml.SequenceNode):
            return _Instead(loader.construct_sequence(node, deep=True))
        return _Instead(loader.construct_scalar(node))

    Loader.add_multi_constructor("!", instead)
    try:
        document = yaml.load(file.read_bytes(), Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{file}{line}: is not YAML: {error.problem}") from None
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: is not YAML: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{file}: is not a compose file")
    return document


def listed(value: Any) -> list[Any]:
    """What may be one thing or a list of them, as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def text_of(file: Path) -> str:
    """The text of a file; empty where it cannot be read."""
    try:
        return file.read_text("utf-8", "replace")
    except (OSError, ValueError):
        return ""
