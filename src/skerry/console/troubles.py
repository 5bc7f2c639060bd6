"""The pages Errors and Alerts: what is wrong, where it was born, and who has been told.

The collector knows all of it; here the parts of one page are put together, and many incidents are
resolved at once.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from urllib.parse import quote, unquote

import msgspec
from msgspec import Meta, Struct

from skerry.app.declare import Routes
from skerry.core.wire import Request, Response, read_all

from .desk import Desk
from .upstream import CollectorAway, Refused

troubles = Routes("/api", tags=["troubles"])

_API = "/api/skerry"
_SHOWN = 100  # incidents of alerts that a page tells of

Ids = Annotated[list[str], Meta(min_length=1, max_length=1_000)]


class Chosen(Struct, forbid_unknown_fields=True):
    """Incidents that something is done with.

    Attributes:
        by_next_release: the releases they were seen in may have them still, when they are resolved.
    """

    ids: Ids
    by_next_release: bool = False


def offer(desk: Desk) -> None:
    """Its feeds: ``troubles`` (how many there are, and which alerts go on), ``incidents:QUERY``,
    ``incident:ID``, percent-encoded, and ``alerts``."""

    async def short(_: str) -> bytes:
        return await desk.collector.read(f"{_API}/troubles")

    async def incidents(query: str) -> bytes:
        return await desk.collector.read(f"{_API}/incidents?{unquote(query)}")

    async def incident(id: str) -> bytes:
        return await desk.collector.read(f"{_API}/incidents/{_in_path(unquote(id))}")

    async def alerts(_: str) -> bytes:
        return msgspec.json.encode(await read_alerts(desk))

    desk.feeds.add("troubles", short, every=2.0)
    desk.feeds.add("incidents", incidents)
    desk.feeds.add("incident", incident)
    desk.feeds.add("alerts", alerts)


@troubles.get("/incidents", raises=[CollectorAway])
async def get_incidents(desk: Desk, request: Request) -> Response:
    """What ``skerry errors ls --json`` prints: its parameters are the collector's."""
    return await desk.collector.forward("GET", f"{_API}/incidents?{request.query}")


@troubles.get("/incidents/{id}", raises=[CollectorAway])
async def get_incident(desk: Desk, id: str) -> Response:
    """What ``skerry errors show ID --json`` prints."""
    return await desk.collector.forward("GET", f"{_API}/incidents/{_in_path(id)}")


@troubles.post("/incidents/resolve", raises=[CollectorAway])
async def resolve_incidents(desk: Desk, chosen: Chosen) -> dict[str, list[str]]:
    """``skerry errors resolve ID``, of many; those ``done``, and those that are not known."""
    return await _each(desk, chosen, "resolve", {"by_next_release": chosen.by_next_release})


@troubles.post("/incidents/reopen", raises=[CollectorAway])
async def reopen_incidents(desk: Desk, chosen: Chosen) -> dict[str, list[str]]:
    """``skerry errors reopen ID``, of many; those ``done``, and those that are not known."""
    return await _each(desk, chosen, "reopen", {})


@troubles.get("/alerts", raises=[CollectorAway, Refused])
async def get_alerts(desk: Desk) -> dict[str, Any]:
    """What ``skerry alerts --all --json`` prints, with the ``objectives`` that are broken as
    ``skerry objectives --json`` has them, and the ``incidents`` as ``skerry errors ls --json``."""
    return await read_alerts(desk)


async def read_alerts(desk: Desk) -> dict[str, Any]:
    """The alerts, and what the page shows of what they name.

    Raises:
        CollectorAway, Refused: the collector does not tell.
    """
    raw = desk.collector.read(f"{_API}/alerts"), desk.collector.read(f"{_API}/objectives")
    alerts, objectives = map(msgspec.json.decode, await asyncio.gather(*raw))
    broken = {_key(one) for alert in alerts for one in (*alert["causes"], *alert["victims"])}
    ids = list(dict.fromkeys(id for alert in alerts for id in alert["incidents"]))[:_SHOWN]
    incidents = []
    if ids:
        asked = f"{_API}/incidents?ids={','.join(ids)}&limit={_SHOWN}"
        incidents = msgspec.json.decode(await desk.collector.read(asked))
    return {
        "alerts": alerts,
        "objectives": [one for one in objectives if _key(one) in broken],
        "incidents": incidents,
    }


def _key(promise: dict[str, Any]) -> tuple[str, str, str]:
    return promise["app"], promise["endpoint"], promise["measure"]


async def _each(desk: Desk, chosen: Chosen, verb: str, body: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"done": [], "unknown": []}
    for id in dict.fromkeys(chosen.ids):
        target = f"{_API}/incidents/{_in_path(id)}/{verb}"
        response = await desk.collector.ask("POST", target, body)
        await read_all(response.body)
        found["done" if response.status == 200 else "unknown"].append(id)
    return found


def _in_path(id: str) -> str:
    return quote(id, safe="")
