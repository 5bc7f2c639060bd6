"""``skerry init``: a ``fleet.toml`` for what a folder has already.

A compose file or a Procfile becomes a draft (``compose``, ``procfile``), the draft becomes
text, and the text is read once more by the reader of ``fleet.toml``: what that refuses is
turned into a comment, so whatever is written can be started.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from skerry.core.errors import ConfigError
from skerry.spec import FILE, SpecError, loads

from . import compose, composefiles, folders, procfile
from .commands import application_of
from .drafts import AppDraft, BackingDraft, Draft

_INSTEAD = "# instead of the command: errors come with their stacks, logs with their traces"


@dataclass(frozen=True, slots=True)
class Imported:
    """A fleet file that could be written.

    Attributes:
        text: its content; loads without an error.
        source: what it was made from.
        notes: what could not be carried over, or should be looked at.
    """

    text: str
    source: Path
    notes: tuple[str, ...]


def import_fleet(folder: Path) -> Imported:
    """A fleet file for the compose file or the Procfile in ``folder``; nothing is written.

    Raises:
        ConfigError: there is neither, or it cannot be read.
    """
    source = _source(folder)
    try:
        draft = _read(source)
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror}") from None
    return Imported(_settled(draft, folder), source, tuple(draft.notes))


def write_fleet(folder: Path, overwrite: bool = False) -> Imported:
    """Import, and write ``fleet.toml``.

    Raises:
        ConfigError: there is one already, or nothing to import.
    """
    file = folder / FILE
    if file.exists() and not overwrite:
        raise ConfigError(f"{file}: is there already; `skerry init --overwrite` replaces it")
    imported = import_fleet(folder)
    file.write_text(imported.text, "utf-8")
    return imported


def _source(folder: Path) -> Path:
    """The file that says most of the folder; the folder itself where there is none."""
    names = (*composefiles.FILES, procfile.FILE)
    return next((folder / name for name in names if (folder / name).is_file()), folder)


def _read(source: Path) -> Draft:
    if source.name == procfile.FILE:
        return procfile.read_procfile(source)
    if not source.is_dir():
        return compose.read_compose(source)
    draft = folders.read_folders(source)
    if not draft.apps:
        names = ", ".join(composefiles.FILES)
        raise ConfigError(
            f"{source.resolve()}: there is neither a compose file ({names}), nor a Procfile, nor a "
            "folder with a Python application; `skerry new fleet NAME` begins without any"
        )
    return draft


def _settled(draft: Draft, folder: Path) -> str:
    """The draft as text that loads; apps that do not load become comments."""
    left: list[AppDraft] = []
    while True:
        text = _written(draft, left)
        try:
            loads(text.encode(), (folder / FILE).absolute())
        except SpecError as error:
            refused = _refused(draft, error)
            if refused is None:
                raise
            name, reason = refused
            draft.note(name, f"is only a comment for now: {reason}")
            left.append(draft.apps.pop(name))
            _forget(draft, name)
        else:
            return text


def _refused(draft: Draft, error: SpecError) -> tuple[str, str] | None:
    """The first app that is at fault, and why."""
    for fault in error.faults:
        table, _, rest = fault.key.partition(".")
        name = re.split(r"[.\[]", rest, maxsplit=1)[0]
        if table == "apps" and name in draft.apps:
            return name, fault.detail
    return None


def _forget(draft: Draft, name: str) -> None:
    """Nobody needs ``name`` any more, nor speaks of it."""
    for app in draft.apps.values():
        if name in app.needs:
            app.needs.remove(name)
        spoken = [key for key, value in app.env.items() if f"{{{name}." in value]
        for key in spoken:
            del app.env[key]
            draft.note(app.name, f"{key} spoke of {name} and is left out")


def _written(draft: Draft, left: list[AppDraft]) -> str:
    lines = [f"# Made from {_comment(draft.source)} by `skerry init`."]
    if draft.notes:
        lines += ["#", "# Not carried over, or to be looked at:"]
        lines += [f"#   {_comment(note)}" for note in draft.notes]
    if draft.name and re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", draft.name):
        lines += ["", "[fleet]", f"name = {_string(draft.name)}"]
    for app in draft.apps.values():
        lines += ["", *_app(app)]
    for backing in draft.backings.values():
        lines += ["", *_backing(backing)]
    if not draft.apps:
        lines += ["", "[apps]"]
    for app in left:
        lines += ["", *(f"# {line}" for line in _app(app))]
    return "\n".join(lines) + "\n"


def _app(app: AppDraft) -> list[str]:
    lines = [f"[apps.{app.name}]"]
    if app.path != app.name:
        lines.append(f"path = {_string(app.path)}")
    if app.command:
        lines.append(f"command = {_string(app.command)}")
        served = application_of(app.command)
        if served:
            lines.append(f"# app = {_string(served)} {_INSTEAD}")
    if not app.http:
        lines.append("http = false")
    if app.instances > 1:
        lines.append(f"instances = {app.instances}")
    if app.port is not None and app.http:
        lines.append(f"port = {app.port}")
    if app.health is not None and app.http:
        lines.append(f"health = {_string(app.health)}")
    if app.needs:
        lines.append(f"needs = [{', '.join(map(_string, app.needs))}]")
    if app.env:
        lines += ["", f"[apps.{app.name}.env]"]
        lines += [f"{key} = {_string(value)}" for key, value in app.env.items()]
    return lines


def _backing(backing: BackingDraft) -> list[str]:
    lines = [f"[backings.{backing.name}]", f"kind = {_string(backing.kind)}"]
    if backing.database is not None:
        lines.append(f"database = {_string(backing.database)}")
    return lines


def _string(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but for DEL and what is not Unicode."""
    whole = text.encode("utf-8", "replace").decode()
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    """``text`` on one line, without what TOML forbids in a comment."""
    whole = text.encode("utf-8", "replace").decode()
    return "".join(letter if letter.isprintable() else " " for letter in whole)
