"""What an importer has understood so far: apps and backings on their way into ``fleet.toml``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass
class AppDraft:
    """An app, as ``[apps.NAME]`` will say it.

    Attributes:
        path: its folder, relative to the file; ``.`` for the same folder.
        ports: those it listens on inside of its container.
        port: the one people know it by.
    """

    name: str
    path: str = "."
    command: str = ""
    needs: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    ports: list[int] = field(default_factory=list)
    port: int | None = None
    instances: int = 1
    health: str | None = None
    http: bool = True

    def need(self, name: str) -> None:
        if name != self.name and name not in self.needs:
            self.needs.append(name)


@dataclass
class BackingDraft:
    """A backing, as ``[backings.NAME]`` will say it, and the words by which others know it.

    Attributes:
        words: what user, password and database are called over there; by part.
    """

    name: str
    kind: str
    database: str | None = None
    words: dict[str, str] = field(default_factory=dict)


@dataclass
class Draft:
    """A whole fleet.

    Attributes:
        hosts: the names by which apps call each other over there → the names here.
        notes: what could not be carried over, and what to look at; ``name: text``.
    """

    source: str
    name: str | None = None
    apps: dict[str, AppDraft] = field(default_factory=dict)
    backings: dict[str, BackingDraft] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, name: str, text: str) -> None:
        self.notes.append(f"{name}: {text}")

    def free_name(self, text: str) -> str:
        """A DNS label made of ``text`` that nothing has yet."""
        plain = re.sub(r"[^a-z0-9]+", "-", text.lower())[:60].strip("-") or "app"
        name, number = plain, 2
        while name in self.apps or name in self.backings:
            name, number = f"{plain}-{number}", number + 1
        return name


_SECRET = re.compile(
    r"SECRET|PASSW|TOKEN|PRIVATE|CREDENTIAL|(?:API|ACCESS|SIGNING|ENCRYPTION)_?KEY"
)
_ENTRY = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*=[ \t]*
        (?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\n]*?))[ \t]*(?:[ \t]\#[^\n]*)?$""",
    re.MULTILINE | re.VERBOSE,
)


def is_secret(name: str) -> bool:
    """Whether a variable's value should not stand in a file that is committed."""
    return bool(_SECRET.search(name.upper()))


def read_dotenv(text: str) -> dict[str, str]:
    """The variables of a ``.env`` file: ``NAME=value``, quoted or not, comments after them."""
    found = {}
    for entry in _ENTRY.finditer(text.replace("\r\n", "\n")):
        name, double, single, bare = entry.groups()
        if double is not None:
            found[name] = double.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
        else:
            found[name] = single if single is not None else "" if bare[:1] == "#" else bare
    return found
