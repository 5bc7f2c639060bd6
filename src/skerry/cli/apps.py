"""What an app of the fleet promises and is made of: asked of the running one, or of its code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from skerry.fleet.client import Control, NotRunning

from .output import fail, nearest, note
from .place import fleet_file

_PATIENCE = 60.0  # seconds for the import of an app


_DOCUMENTS = ("contract", "events")


def document_of(file: str, name: str, what: str = "contract") -> dict[str, Any]:
    """The contract of an app: what the running one serves, else what its code says.

    Args:
        what: ``events`` for its AsyncAPI document in place of its OpenAPI document.

    Raises:
        Failed: there is no such app, or it has none.
    """
    place = fleet_file(file)
    url = _running(place, name)
    if url:
        return _served(url, name, what)
    document: dict[str, Any] = ask_code(place, name, what)
    return document


def _running(place: Path, name: str) -> str:
    """Where the app can be asked now; empty when it cannot."""
    try:
        return Control(place.parent).address(name) or ""
    except NotRunning:
        return ""


def _served(url: str, name: str, what: str) -> dict[str, Any]:
    from .calling import Way, contract

    return contract(Way(url, url), name, what=what)


def ask_code(
    place: Path, name: str, what: str, endpoint: str = "", handler: str = "", client: str = ""
) -> Any:
    """What an app's code says; see ``looking``.

    Raises:
        Failed: it cannot be asked; says why.
        SpecError: the fleet file cannot be used.
    """
    from skerry.spec import load, located
    from skerry.spec.detect import NoApp
    from skerry.spec.templates import mentions, substitute

    fleet = load(place)
    spec = fleet.apps.get(name)
    if spec is None:
        fail(f"there is no app {name!r} in {place}.{nearest(name, list(fleet.apps))}")
    if spec.kind == "outside" and spec.url and what in _DOCUMENTS:
        return _served(spec.url, name, what)
    try:
        target = located(spec).app
    except NoApp as error:
        fetched = " (`skerry up` fetches it)" if spec.git and not spec.path.is_dir() else ""
        fail(f"{name}: {error}{fetched}")
    if target is None:
        so = f"{name} is not started from Python code that can be asked"
        fail(f"{so}; start it: `skerry up`" if what in _DOCUMENTS else f"{so} for its {what}")
    if client and client not in fleet.apps:
        note(f"no app of {place} is called {client!r}.{nearest(client, list(fleet.apps))}")
    names = {*fleet.apps, *fleet.backings}
    # What speaks of an address has none while the fleet is not running.
    own = {key: substitute(v, {}) for key, v in spec.env.items() if not mentions(v, names)}
    job = {
        "target": target,
        "folder": str(spec.path),
        "what": what,
        "endpoint": endpoint,
        "handler": handler,
        "client": client,
    }
    said = _look(str(spec.python or sys.executable), job, own)
    if "found" not in said:
        fail(f"{name}: {said['failed']}")
    return said["found"]


def _look(python: str, job: dict[str, Any], env: dict[str, str]) -> dict[str, Any]:
    target = job["target"]
    reading, job["pipe"] = os.pipe()
    command = [python, "-P", "-m", "skerry.cli.looking", json.dumps(job)]
    with os.fdopen(reading, encoding="utf-8") as answer:
        try:
            process = subprocess.Popen(
                command,
                cwd=job["folder"],
                env={**os.environ, **env},
                pass_fds=[job["pipe"]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        finally:
            os.close(job["pipe"])
        try:
            _, complaints = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return {"failed": f"importing {target} has taken more than {_PATIENCE:g} s"}
        text = answer.read()
    if not text:
        last = (complaints.strip() or f"status {process.returncode}").splitlines()[-1]
        return {"failed": f"{target} could not be asked: {last}"}
    said: dict[str, Any] = json.loads(text)
    return said
