"""What the values of ``fleet.toml`` may be: functions from a value as written to the value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from .locate import KeyPath

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_REFERENCE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*(?:\(\))?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DATABASE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
_TAG = re.compile(r"(?!-)[^\s~^:?*\[\\\x00-\x1f\x7f]+")
# Variables that the fleet sets, and what an app's env cannot say but something else can.
_OWN_VARIABLES = {
    "PORT": "; pin a port with port =",
    "SKERRY_APP": "",
    "SKERRY_BUS": "; say where the bus is under [bus]",
    "SKERRY_CONTROL": "",
    "SKERRY_FLEET": "",
    "SKERRY_INSTANCE": "",
}


class Wrong(ValueError):
    """A value is not what its key takes.

    Args:
        detail: what is wrong with it and what would be right.

    Attributes:
        faults: everything wrong, each with where inside of the value it is.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.faults: list[tuple[KeyPath, str]] = [((), detail)]

    @classmethod
    def all(cls, faults: list[tuple[KeyPath, str]]) -> Wrong:
        wrong = cls(faults[0][1])
        wrong.faults = faults
        return wrong


Check = Callable[[Any], Any]


def label_fault(name: str) -> str | None:
    """Why ``name`` cannot name a fleet, an app or a backing; None when it can.

    Names become host names, folders and variables, so they are DNS labels (RFC 1123, 2.1).
    """
    if _LABEL.fullmatch(name):
        return None
    rule = "is not a name: up to 63 lower-case letters, digits and dashes, no dash at either end"
    better = re.sub(r"[^a-z0-9]+", "-", name.lower())[:63].strip("-")
    return f'"{name}" {rule}' + (f'; did you mean "{better}"?' if better else "")


def label(value: Any) -> str:
    name = text(value)
    fault = label_fault(name)
    if fault:
        raise Wrong(fault)
    return name


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise Wrong(f"takes a string, not {_kind(value)}{_quoted(value)}")
    if not value.strip():
        raise Wrong("is empty")
    if "\0" in value:
        raise Wrong("contains a NUL character")
    return value


def names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Wrong(f"takes a list of names, not {_kind(value)}")
    faults: list[tuple[KeyPath, str]] = []
    for index, item in enumerate(value):
        if not isinstance(item, str):
            faults.append(((index,), f"takes a name, not {_kind(item)}"))
        elif item in value[:index]:
            faults.append(((index,), f'"{item}" is listed twice'))
    if faults:
        raise Wrong.all(faults)
    return tuple(value)


def groups(value: Any) -> str | tuple[tuple[str, ...], ...]:
    if value == "all":
        return "all"
    if not isinstance(value, list):
        raise Wrong(f'takes "all", a list of names or a list of such lists, not {_kind(value)}')
    if not any(isinstance(item, list) for item in value):
        return (names(value),)
    found = []
    faults: list[tuple[KeyPath, str]] = []
    for index, item in enumerate(value):
        try:
            found.append(names(item))
        except Wrong as wrong:
            faults += [((index, *below), detail) for below, detail in wrong.faults]
    if faults:
        raise Wrong.all(faults)
    return tuple(found)


def whole(least: int, most: int) -> Check:
    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Wrong(f"takes a whole number, not {_kind(value)}")
        if not least <= value <= most:
            raise Wrong(f"is {least} to {most}, not {value}")
        return value

    return check


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Wrong(f"takes true or false, not {_kind(value)}")
    return value


def reference(value: Any) -> str:
    if not _REFERENCE.fullmatch(text(value)):
        raise Wrong(f'"{value}" is not package.module:variable, like "quotes.app:app"')
    return str(value)


def tag(value: Any) -> str:
    """A tag as git takes it (git-check-ref-format), which also keeps it inside its folder."""
    name = text(value)
    bad = ".." in name or "//" in name or "@{" in name or name.endswith((".", ".lock", "/"))
    if bad or name.startswith(("/", ".")) or "/." in name or not _TAG.fullmatch(name):
        raise Wrong(f'"{name}" is not a tag git would take')
    return name


def repository(value: Any) -> str:
    if text(value).startswith("-"):
        raise Wrong(f'"{value}" is not the URL of a repository')
    return str(value)


def web_url(value: Any) -> str:
    parts = split_url(value)
    if parts.scheme not in ("http", "https"):
        raise Wrong(f'"{value}" is not a URL that begins with http:// or https://')
    if parts.query or parts.fragment:
        raise Wrong("is an address: no query and no fragment")
    return str(value).rstrip("/")


def backing_url(value: Any) -> str:
    if not split_url(value).scheme:
        raise Wrong(f'"{value}" is not a URL: it has no scheme like postgresql://')
    return str(value)


def bus_url(value: Any) -> str:
    parts = split_url(value)
    if parts.scheme not in ("sqlite", "amqp", "amqps") and not _others(parts.scheme):
        raise Wrong(f'"{value}" is not the URL of a bus: sqlite:///path/to/bus.db or amqp://…')
    if parts.scheme == "sqlite" and (parts.netloc or parts.path.strip("/") == ""):
        raise Wrong(f'"{value}" names no file; write sqlite:///path, or sqlite:////absolute/path')
    if parts.scheme != "sqlite" and not parts.hostname:
        raise Wrong(f'"{value}" is not a URL: it names no host')
    return str(value)


def _others(scheme: str) -> bool:
    """Whether somebody's package has a driver for it; see ``bus/urls.py``."""
    from importlib.metadata import entry_points

    return bool(entry_points(group="skerry.bus", name=scheme))


def split_url(value: Any) -> SplitResult:
    """The parts of a URL; ``Wrong`` where it is none."""
    try:
        parts = urlsplit(text(value))
        _ = parts.port
    except ValueError as error:
        if isinstance(error, Wrong):
            raise
        raise Wrong(f'"{value}" is not a URL: {error}') from None
    if parts.scheme in ("http", "https") and not parts.hostname:
        raise Wrong(f'"{value}" is not a URL: it names no host')
    return parts


def database(value: Any) -> str:
    if not _DATABASE.fullmatch(text(value)):
        raise Wrong(f'"{value}" is not the name of a database: letters, digits, _ and -')
    return str(value)


def path_prefix(value: Any) -> str:
    if not text(value).startswith("/"):
        raise Wrong(f'"{value}" is not a path: it begins with a slash')
    return str(value)


def variables(value: Any) -> Mapping[str, str]:
    return _texts(value, "takes a table of variables", _variable_fault)


def routes(value: Any) -> Mapping[str, str]:
    return _texts(value, 'takes a table of path = "app"', _route_fault)


def _texts(value: Any, takes: str, fault: Callable[[str], str | None]) -> Mapping[str, str]:
    """A table of strings whose keys pass ``fault``."""
    if not isinstance(value, dict):
        raise Wrong(f"{takes}, not {_kind(value)}")
    faults: list[tuple[KeyPath, str]] = []
    for name, content in value.items():
        detail = fault(name)
        if detail is None and not isinstance(content, str):
            detail = f"takes a string, not {_kind(content)}{_quoted(content)}"
        elif detail is None and "\0" in content:
            detail = "contains a NUL character"
        if detail is not None:
            faults.append(((name,), detail))
    if faults:
        raise Wrong.all(faults)
    return dict(value)


def _variable_fault(name: str) -> str | None:
    if not _VARIABLE.fullmatch(name):
        return "is not the name of an environment variable"
    if name in _OWN_VARIABLES:
        return f"is set by the fleet{_OWN_VARIABLES[name]}"
    return None


def _route_fault(prefix: str) -> str | None:
    return None if prefix.startswith("/") else "is not a path: it begins with a slash"


def _kind(value: Any) -> str:
    known = {bool: "true or false", int: "a number", float: "a number", str: "a string"}
    known |= {list: "a list", dict: "a table"}
    return known.get(type(value), "a date or time")


def _quoted(value: Any) -> str:
    """What to write instead, for values that only lack their quotes."""
    if isinstance(value, bool):
        return f'; write "{str(value).lower()}"'
    return f'; write "{value}"' if isinstance(value, int | float) else ""
