"""What an app says of itself: who owns it, and what it promises. Values of its manifest."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from .checks import Wrong, split_url, text
from .faults import nearest
from .locate import KeyPath
from .model import ObjectiveSpec

_ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+")
_DURATION = re.compile(r"(\d+(?:\.\d+)?) *(ms|s)")
_LONGEST = 3600.0  # seconds


def owner(value: Any) -> str:
    """An e-mail address, or the URL of a webhook."""
    if "://" not in text(value) and _ADDRESS.fullmatch(value):
        return str(value)
    if split_url(value).scheme not in ("http", "https"):
        raise Wrong(f'"{value}" is neither an e-mail address nor the URL of a webhook')
    return str(value)


def address(value: Any) -> str:
    if not _ADDRESS.fullmatch(text(value)):
        raise Wrong(f'"{value}" is not an e-mail address')
    return str(value)


def smtp_url(value: Any) -> str:
    parts = split_url(value)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise Wrong(f'"{value}" is not a mail server: smtp://host:25, smtps://user:password@host')
    return str(value)


def objectives(value: Any, of: str = "endpoint") -> tuple[ObjectiveSpec, ...]:
    """Promises, each of one thing or of all.

    Args:
        of: what that thing is called.
    """
    if not isinstance(value, list) or any(not isinstance(one, dict) for one in value):
        raise Wrong('takes a list of tables: [{ availability = 99.9, latency = "300ms" }]')
    found = []
    faults: list[tuple[KeyPath, str]] = []
    for index, table in enumerate(value):
        try:
            found.append(_objective(table, of))
        except Wrong as wrong:
            faults += [((index, *below), detail) for below, detail in wrong.faults]
    if faults:
        raise Wrong.all(faults)
    return tuple(found)


of_journeys = partial(objectives, of="journey")


def _objective(table: dict[str, Any], of: str) -> ObjectiveSpec:
    checks = {of: text, "availability": _percent, "latency": _seconds, "within": _percent}
    given: dict[str, Any] = {}
    faults: list[tuple[KeyPath, str]] = []
    for name, value in table.items():
        try:
            if name not in checks:
                raise Wrong(f"no such key{nearest(name, checks)}")
            given[name] = checks[name](value)
        except Wrong as wrong:
            faults.append(((name,), str(wrong)))
    if not faults and not {"availability", "latency"} & table.keys():
        faults.append(((), "promises nothing: availability in percent, latency in seconds"))
    if not faults and "within" in table and "latency" not in table:
        faults.append((("within",), "goes with latency"))
    if faults:
        raise Wrong.all(faults)
    return ObjectiveSpec(given.pop(of, None), **given)


def _percent(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Wrong("takes a number of percent, like 99.9")
    if not 0 < value < 100:
        raise Wrong(f"is more than 0 and less than 100 percent, not {value}")
    return float(value)


def _seconds(value: Any) -> float:
    if isinstance(value, str):
        found = _DURATION.fullmatch(value.strip())
        if found is None:
            raise Wrong(f'"{value}" is not a duration: "300ms", "2s", or seconds as a number')
        value = float(found[1]) / (1000 if found[2] == "ms" else 1)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Wrong('takes a duration: "300ms", "2s", or seconds as a number')
    if not 0 < value <= _LONGEST:
        raise Wrong(f"is more than 0 and at most {_LONGEST:g} seconds, not {value:g}")
    return float(value)
