"""The front door's map: which app a request is for, and what of its path that app is to see.

By host first (``quotes.localhost:8080``), then by path, the longest prefix that fits. A prefix
is cut off before the app sees the path: an app does not know where it is mounted, and is told
in ``X-Forwarded-Prefix`` for the sake of the links it writes.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import NamedTuple


class Match(NamedTuple):
    """Where a request goes.

    Attributes:
        app: to whom.
        prefix: what was cut off, without a slash at its end; empty for the whole site.
        path: what is left, beginning with a slash.
    """

    app: str
    prefix: str
    path: str


class Routes:
    """The routes of one front door.

    Args:
        prefixes: path prefix → app.
        apps: those that can be reached by host name.
    """

    def __init__(self, prefixes: Mapping[str, str], apps: Container[str]) -> None:
        cut = {prefix.rstrip("/"): app for prefix, app in prefixes.items()}
        self._prefixes = sorted(cut.items(), key=lambda route: len(route[0]), reverse=True)
        self._apps = apps

    def find(self, host: str, path: str) -> Match | None:
        """The way of a request; None if no route fits.

        Args:
            host: the ``Host`` header, with or without a port.
            path: as it came, percent-encoded.
        """
        name, dot, domain = host.partition(":")[0].lower().rstrip(".").partition(".")
        if dot and domain == "localhost" and name in self._apps:
            return Match(name, "", path)
        for prefix, app in self._prefixes:
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
                return Match(app, prefix, path[len(prefix) :] or "/")
        return None

    @property
    def prefixes(self) -> list[str]:
        return sorted(prefix or "/" for prefix, _ in self._prefixes)
