"""``Procfile`` → a draft of a fleet, by the rules of Heroku, foreman and honcho."""

from __future__ import annotations

import re
from pathlib import Path

from skerry.core.errors import ConfigError

from .commands import adapt, serves
from .drafts import AppDraft, Draft, is_secret, read_dotenv

FILE = "Procfile"

_LINE = re.compile(r"^([A-Za-z0-9_-]+):\s*(\S.*)$")


def read_procfile(file: Path) -> Draft:
    """One app per process type, all in the same folder.

    ``web`` serves HTTP; any other does when it is a known server or speaks of ``$PORT``.

    Raises:
        ConfigError: there is no process type in it.
    """
    draft = Draft(file.name)
    env = {}
    dotenv = file.with_name(".env")
    if dotenv.is_file():  # foreman and honcho read it
        for key, value in read_dotenv(dotenv.read_text("utf-8", "replace")).items():
            if is_secret(key) and value:
                draft.note(key, "is in .env: set it where `skerry up` runs")
            elif key != "PORT":
                env[key] = value
    for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1):
        found = _LINE.match(line.strip())
        if found and found[1].lower() == "release":
            draft.note("release", f"left out: `{found[2]}` runs once before a release")
        elif found:
            _take(draft, found[1], found[2], env)
        elif line.strip() and not line.lstrip().startswith("#"):
            draft.note(f"line {number}", "is not `name: command`")
    if not draft.apps:
        raise ConfigError(f"{file}: there is no process type in it, like `web: command`")
    return draft


def _take(draft: Draft, kind: str, text: str, env: dict[str, str]) -> None:
    app = AppDraft(draft.free_name(kind), env=dict(env))
    command = adapt(text)
    app.command = command.text
    app.http = not command.worker and (kind == "web" or serves(command.text))
    if app.http and not command.told:
        draft.note(app.name, f"has to listen on $PORT; does `{command.text}`?")
    draft.apps[app.name] = app
