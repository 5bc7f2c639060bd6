"""Asking a collector: the fleet's, or the one that was named."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

from .output import fail
from .place import control

_PATIENCE = 30.0


def collector(url: str, file: str) -> str:
    """Its address.

    Args:
        url: that was given; empty for the fleet's.
    """
    if url:
        return url.rstrip("/")
    found = control(file).status()["collector"]
    if not found:
        fail("this fleet has no collector; `[observe] collector = true` in fleet.toml gives it one")
    return str(found)


def ask(url: str, path: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
    """The JSON that the collector at ``url`` answers; posts ``body`` where there is one."""
    given = {name: value for name, value in query.items() if value not in (None, "", False)}
    place = f"{url}{path}" + (f"?{urlencode(given)}" if given else "")
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(place, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        fail(_said(error))
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        fail(f"the collector at {url} does not answer: {reason}")


def _said(error: urllib.error.HTTPError) -> str:
    raw = error.read().decode("utf-8", "replace")
    try:
        problem = json.loads(raw)
        return str(problem.get("detail") or problem["title"])
    except (ValueError, KeyError, AttributeError):
        return raw.strip() or f"the collector answered with status {error.code}"
