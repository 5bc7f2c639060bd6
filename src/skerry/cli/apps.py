"""An app of the fleet as a Python object, for verbs that speak of its code."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

from .output import fail, nearest
from .place import control, fleet_file


def load_object(reference: str, folder: str = ".") -> Any:
    """The object that ``module:attribute`` names, imported from ``folder``."""
    module, colon, attribute = reference.partition(":")
    if not colon or not module or not attribute:
        fail(f"{reference!r}: an app is named MODULE:ATTRIBUTE, as quotes.app:app")
    sys.path.insert(0, folder)
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        fail(f"there is no module {module!r} in {folder}")
    if not hasattr(found, attribute):
        fail(f"{module} has no {attribute!r}.{nearest(attribute, dir(found))}")
    return getattr(found, attribute)


def app_of(file: str, name: str) -> Any:
    """The ``App`` that the fleet calls ``name``."""
    from skerry.app.app import App
    from skerry.spec import load

    fleet = load(fleet_file(file))
    spec = fleet.apps.get(name)
    if spec is None:
        fail(f"there is no app {name!r} in {fleet.file}.{nearest(name, sorted(fleet.apps))}")
    if spec.kind != "app" or spec.app is None or spec.path is None:
        fail(f"{name} is not run from Python code that Skerry knows; it has no stack to show")
    found = load_object(spec.app, str(spec.path))
    if not isinstance(found, App):
        fail(f"{name} ({spec.app}) is a {type(found).__name__}, not a Skerry App")
    return found


def document_of(file: str, name: str) -> dict[str, Any]:
    """The contract of an app of the fleet: what the running one serves, else what its code says."""
    from skerry.fleet.client import ControlError

    try:
        url = control(file).address(name)
    except ControlError:
        url = None
    if url is not None:
        from urllib.request import urlopen

        try:
            with urlopen(f"{url}/openapi.json", timeout=10) as answer:
                document: dict[str, Any] = json.load(answer)
                return document
        except (OSError, ValueError) as error:
            fail(f"{name} serves no contract at {url}/openapi.json: {error}")
    from skerry.contract.openapi import document as made

    found: dict[str, Any] = made(app_of(file, name).contract())
    return found
