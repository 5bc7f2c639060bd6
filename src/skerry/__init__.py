"""Skerry: build, run, test, ship and operate a fleet of Python services.

Public names are listed here and imported when first used, so that ``import skerry`` is cheap
and a command pays only for what it runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_NAMES = {
    "App": "skerry.app",
    "Problem": "skerry.core.errors",
}

__all__ = ["__version__", *sorted(_NAMES)]


def __getattr__(name: str) -> Any:
    module = _NAMES.get(name)
    if module is None:
        raise AttributeError(f"module 'skerry' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(module), name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES])
