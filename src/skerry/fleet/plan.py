"""What processes a fleet consists of, worked out from its spec before any is started.

A *unit* is what runs in one process: an app, or a group that the fleet runs together. Units
compare by value, so what a changed ``fleet.toml`` changes is what differs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from skerry.core.errors import ConfigError
from skerry.spec import AppSpec, Fleet, order, substitute, url_variable

from .watch import files

PRELOADABLE = (
    "alembic",
    "django",
    "fastapi",
    "flask",
    "httpx",
    "jinja2",
    "psycopg",
    "pydantic",
    "sqlalchemy",
    "starlette",
)
"""Libraries that are slow to import and known to do nothing else when they are."""

_COMPOUND = re.compile(r"[;&|<>\n]|^\s*\w+=|^\s*(?:exec|cd|if|for|while|\(|\{)\b")


@dataclass(frozen=True, slots=True)
class Unit:
    """What runs in one process, or in several alike.

    Attributes:
        name: the app's, or that of a group, which contains a dot and so is no app's.
        members: one app, or the apps of a group.
    """

    name: str
    members: tuple[AppSpec, ...]

    @property
    def instances(self) -> int:
        return max(app.instances for app in self.members)

    def __contains__(self, app: object) -> bool:
        return any(member.name == app for member in self.members)

    @property
    def grouped(self) -> bool:
        return "." in self.name

    def same_but_for_scale(self, other: Unit) -> bool:
        """Whether only the number of instances differs, so that nothing need be restarted."""
        return replace_scale(self) == replace_scale(other)


def replace_scale(unit: Unit, instances: int = 1) -> Unit:
    return replace(unit, members=tuple(replace(app, instances=instances) for app in unit.members))


def units(fleet: Fleet, only: Iterable[str] | None = None) -> list[list[Unit]]:
    """The units of a fleet in waves: each needs only what stands in waves before it.

    A group starts as soon as its first member may; its members learn of each other, and of
    whoever comes later, from the registry.

    Args:
        only: these apps and whatever they need, instead of all.
    """
    group_of = {
        name: f"together.{n}" for n, group in enumerate(fleet.together, 1) for name in group
    }
    waves: list[list[Unit]] = []
    done: set[str] = set()
    names = order(fleet, only)
    chosen = {name for wave in names for name in wave}
    for wave in names:
        units_here: list[Unit] = []
        for name in wave:
            app = fleet.apps.get(name)
            if app is None or app.kind == "outside":
                continue
            unit_name = group_of.get(name, name) if app.kind == "app" else name
            if unit_name in done:
                continue
            done.add(unit_name)
            units_here.append(Unit(unit_name, _members(fleet, unit_name, group_of, chosen, app)))
        waves.append(units_here)
    return [wave for wave in waves if wave]


def _members(
    fleet: Fleet, unit: str, group_of: Mapping[str, str], chosen: set[str], app: AppSpec
) -> tuple[AppSpec, ...]:
    if unit == app.name:
        return (app,)
    return tuple(
        other
        for other in fleet.apps.values()
        if other.name in chosen and other.kind == "app" and group_of.get(other.name) == unit
    )


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where things are, for the environment of apps.

    Attributes:
        backings: URL by app and backing: in a database server each app has its own.
        apps: URL of each app by its name: the front of what templates may mention.
        edges: URL of the local proxy by caller and app called.
    """

    backings: Mapping[tuple[str, str], str]
    apps: Mapping[str, str]
    edges: Mapping[tuple[str, str], str]


def app_environment(app: AppSpec, addresses: Addresses) -> dict[str, str]:
    """The variables that belong to one app: what it needs, and what ``env`` says.

    Raises:
        ConfigError: ``env`` mentions something without an address.
    """
    reachable = dict(addresses.apps)
    env: dict[str, str] = {}
    for need in app.needs:
        url = addresses.edges.get((app.name, need)) or addresses.backings.get((app.name, need))
        if url:
            reachable[need] = env[url_variable(need)] = url
    for name, value in app.env.items():
        try:
            env[name] = substitute(value, reachable)
        except ConfigError as error:
            raise ConfigError(f"apps.{app.name}.env.{name}: {error}") from None
    return env


def has_package(python: Path, name: str) -> bool:
    """Whether a virtual environment has a package, by its files: asking would take a process."""
    root = python.parent.parent
    patterns = (f"{name}", f"{name}-*.dist-info", f"__editable__.{name}-*")
    return any(
        next(root.glob(f"lib/python3.*/site-packages/{pattern}"), None) is not None
        for pattern in patterns
    )


def shell_command(command: str) -> tuple[str, ...]:
    """``sh -c``, replaced by the command itself where that is one command.

    Signals then reach the program and not a shell that waits for it.
    """
    simple = not _COMPOUND.search(command)
    return ("/bin/sh", "-c", f"exec {command}" if simple else command)


def to_preload(apps: Iterable[AppSpec]) -> tuple[str, ...]:
    """Libraries that at least two apps import, and that are worth importing before forking."""
    users: dict[str, int] = {}
    for app in apps:
        if app.kind == "app" and app.python is None:
            for name in imported(app.path, PRELOADABLE):
                users[name] = users.get(name, 0) + 1
    return tuple(sorted(name for name, count in users.items() if count > 1))


def is_foreign(app: AppSpec) -> bool:
    """Whether an app knows nothing of Skerry, and so has to be given its client stack outside.

    Every command is; an application object is unless a source of its folder imports Skerry.
    """
    return app.kind == "command" or not imported(app.path, ("skerry",))


def imported(folder: Path, names: Iterable[str], limit: int = 300) -> set[str]:
    """Which of these packages the sources in a folder import, by a look at their text."""
    words = b"|".join(name.encode() for name in names)
    pattern = re.compile(rb"^[ \t]*(?:from|import)[ \t]+(" + words + rb")\b", re.MULTILINE)
    found: set[str] = set()
    for entry in islice(files(folder, frozenset((".py",))), limit):
        try:
            with open(entry.path, "rb") as file:
                found.update(name.decode() for name in pattern.findall(file.read()))
        except OSError:
            continue
    return found
