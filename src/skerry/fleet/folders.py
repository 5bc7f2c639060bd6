"""Folders of code → a draft of a fleet, where neither a compose file nor a Procfile says more."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from skerry.spec import NoApp, detect, url_variable

from .drafts import AppDraft, Draft
from .watch import files

_MOST_FILES = 300  # of one app, looked at for whom it calls


def read_folders(folder: Path) -> Draft:
    """An app for every folder with an application in it; for ``folder`` itself, if none has.

    Whoever reads ``QUOTES_URL`` needs ``quotes``.
    """
    draft = Draft("the folders here")
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and _may_be_one(entry) and _has_app(entry.name, entry):
            name = draft.free_name(entry.name)
            draft.apps[name] = AppDraft(name, path=entry.name)
    if not draft.apps and _has_app(folder.resolve().name, folder):
        name = draft.free_name(folder.resolve().name)
        draft.apps[name] = AppDraft(name)
    variables = {url_variable(name): name for name in draft.apps}
    for app in draft.apps.values():
        for variable in sorted(_words(folder / app.path) & variables.keys()):
            app.need(variables[variable])
    if len(draft.apps) > 1 and not any(app.needs for app in draft.apps.values()):
        draft.note("needs", "nobody reads another's _URL variable; say who calls whom with needs =")
    return draft


def _may_be_one(folder: Path) -> bool:
    names_none = folder.name.startswith((".", "_")) or folder.name in ("tests", "docs", "scripts")
    return not names_none and not (folder / "pyvenv.cfg").exists()


def _has_app(name: str, folder: Path) -> bool:
    try:
        detect(name, folder)
    except NoApp:
        return False
    return True


def _words(folder: Path) -> set[str]:
    """Whatever its sources say that could be the variable of an address."""
    found: set[str] = set()
    for entry in islice(files(folder, frozenset((".py",))), _MOST_FILES):
        try:
            text = Path(entry.path).read_text("utf-8", "replace")
        except OSError:
            continue
        found.update(re.findall(r"\b[A-Z][A-Z0-9_]*_URL\b", text))
    return found
