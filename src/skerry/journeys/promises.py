"""What journeys promise, and to whom to turn: told to the fleet's collector in a file.

Only whoever has imported the journeys knows which there are and whose they are. Each has an
alert of its own, for its owner: that one of them fails is not the others' affair.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from skerry.core.errors import ConfigError
from skerry.observe.objectives import Objective
from skerry.observe.watch import DEFAULT, AppPromises, Promises

from .declare import Journey
from .place import CALLER

FILE = "promises.json"
"""In the folder of the runs."""


def write_promises(journeys: Iterable[Journey], objectives: list[Objective], folder: Path) -> None:
    """Tell the collector, in ``folder``. Blocks."""
    document = Promises({CALLER: promises(journeys, objectives)})
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f".{FILE}"
    fresh.write_bytes(msgspec.json.encode(document))
    fresh.replace(folder / FILE)


def promises(journeys: Iterable[Journey], objectives: list[Objective]) -> AppPromises:
    """What is promised of each journey by itself: what names it, else what names none, else
    what every app has promised that says nothing.

    Raises:
        ConfigError: an objective names a journey that there is not.
    """
    owners = {journey.name: journey.owner for journey in journeys}
    found: list[Objective] = []
    for one in objectives:
        if one.endpoint and one.endpoint not in owners:
            there = ", ".join(sorted(owners))
            raise ConfigError(
                f"[journeys] objectives: there is no journey {one.endpoint!r}; there are {there}"
            )
    for name in owners:
        own = [one for one in objectives if one.endpoint == name]
        common = [one for one in objectives if not one.endpoint] or [DEFAULT]
        found += own or [replace(one, endpoint=name) for one in common]
    return AppPromises(objectives=found, owners=owners)
