"""What two documents of one app say in the same words, so that it becomes one type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from skerry.contract.draft7 import draft7

_PREFIX = "#/components/schemas/"


def twins(first: Mapping[str, Any], second: Mapping[str, Any]) -> set[str]:
    """The names of the components that are the same in both, with all that they refer to.

    Args:
        first: of OpenAPI.
        second: of AsyncAPI, which says a few things in other words.
    """
    ours, theirs = _schemas(first), _schemas(second)
    same = {name for name in ours if name in theirs and _alike(ours[name], theirs[name])}
    leads = {name: set(_references(ours[name])) for name in same}
    while apart := {name for name in same if not leads[name] <= same}:
        same -= apart
    return same


def _schemas(document: Mapping[str, Any]) -> Mapping[str, Any]:
    components = document.get("components")
    found = components.get("schemas") if isinstance(components, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _alike(ours: Any, theirs: Any) -> bool:
    return bool(ours == theirs or (isinstance(ours, dict) and draft7(ours) == theirs))


def _references(value: Any) -> Iterator[str]:
    """What is referred to: components by name, and anything else as it stands."""
    if isinstance(value, Mapping):
        reference = value.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(_PREFIX)
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
