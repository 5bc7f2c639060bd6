"""The page Map: the fleet's status and the collector's counts, drawn as one graph."""

from __future__ import annotations

import asyncio
import time

import msgspec

from skerry.app.declare import Routes
from skerry.core.errors import BadRequest

from .desk import Desk
from .drawing import draw
from .graph import Fleet, Map, Seen, beginning, questions
from .upstream import CollectorAway, FleetAway, Refused

mapped = Routes("/api", tags=["map"])

WINDOW = 5
"""Minutes that are shown unless somebody asks for others."""

_LONGEST = 24 * 60
_MINUTE = 60

_fleet = msgspec.json.Decoder(Fleet).decode
_seen = msgspec.json.Decoder(Seen).decode
_encode = msgspec.json.Encoder().encode


def offer(desk: Desk) -> None:
    """Its feed: ``map:MINUTES``."""

    async def drawn(minutes: str) -> bytes:
        return _encode(await read(desk, minutes or WINDOW))

    desk.feeds.add("map", drawn, every=2.0)


@mapped.get("/map", raises=[BadRequest, CollectorAway, FleetAway, Refused])
async def get_map(desk: Desk, minutes: int = WINDOW) -> Map:
    """What ``skerry map --since 5m --json`` prints."""
    return await read(desk, minutes)


async def read(desk: Desk, minutes: int | str) -> Map:
    """The map of the last ``minutes``.

    Raises:
        BadRequest: nobody can look back so far.
        CollectorAway, FleetAway, Refused: somebody does not tell what is on it.
    """
    seconds, until = _window(minutes) * _MINUTE, time.time()
    asked = questions(until, seconds)
    fleet, *answers = await asyncio.gather(
        desk.control.read("/instances"), *(desk.collector.read(path) for path in asked.values())
    )
    parts = [b'"%s":%s' % (name.encode(), raw) for name, raw in zip(asked, answers, strict=True)]
    window = b'"since":%f,"until":%f' % (beginning(until, seconds), until)
    return draw(_fleet(fleet), _seen(b"{%s}" % b",".join([window, *parts])))


def _window(minutes: int | str) -> int:
    try:
        count = int(minutes)
    except ValueError:
        count = 0
    if not 0 < count <= _LONGEST:
        raise BadRequest(detail=f"a window is 1 to {_LONGEST} minutes, not {minutes}")
    return count
