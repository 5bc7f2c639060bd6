"""``fleet.toml``: what a fleet is made of, read and checked. No process is started here."""

from __future__ import annotations

from .detect import NoApp, detect
from .faults import SpecError, SpecFault
from .model import (
    AlertsSpec,
    AppSpec,
    BackingSpec,
    BusSpec,
    Fleet,
    FrontSpec,
    JourneysSpec,
    ObjectiveSpec,
    ObserveSpec,
)
from .reader import FILE, find, load, loads, located, source_folder
from .templates import escape, substitute, url_variable
from .waves import cycles, order

__all__ = [
    "FILE",
    "AlertsSpec",
    "AppSpec",
    "BackingSpec",
    "BusSpec",
    "Fleet",
    "FrontSpec",
    "JourneysSpec",
    "NoApp",
    "ObjectiveSpec",
    "ObserveSpec",
    "SpecError",
    "SpecFault",
    "cycles",
    "detect",
    "escape",
    "find",
    "load",
    "loads",
    "located",
    "order",
    "source_folder",
    "substitute",
    "url_variable",
]
