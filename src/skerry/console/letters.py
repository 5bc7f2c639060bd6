"""The page Bus: what lies on the bus, and what is to become of it. ``skerry bus`` in a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
from annotated_types import Ge, Le
from msgspec import Struct

from skerry.app.declare import Routes
from skerry.bus.documents import document, letter_document, queue_document
from skerry.bus.driver import DeadLetter, Driver
from skerry.bus.redrive import Redrive, condition, per_second
from skerry.core.errors import BadRequest, ConfigError, Conflict, NotFound
from skerry.core.wire import JSON, Headers, Response

from .desk import Desk
from .jobs import Jobs
from .openbus import queue_of

letters = Routes("/api/bus", tags=["bus"])

Limit = Annotated[int, Ge(1), Le(500)]
_SHOWN = 200  # messages that are sent to a page
_SCANNED = 5_000  # dead letters that a filter looks through


class Chosen(Struct):
    """Which dead letters are meant.

    Attributes:
        ids: these; or
        where: those for which all of these hold, as ``skerry bus redrive --where`` has them; or
        everything: all.
        rate: ``10/s``; empty for as fast as it goes.
        bodies: JSON to put in place of their own, by id.
    """

    ids: list[str] = []
    where: list[str] = []
    everything: bool = False
    rate: str = ""
    bodies: dict[str, str] = {}


class Purge(Struct):
    """What is to be deleted.

    Attributes:
        dead: the dead letters, and not what waits.
        count: how many whoever asks believes that to be at least; more are deleted, too, but not
            if there are none.
    """

    dead: bool
    count: int


def offer(desk: Desk, jobs: Jobs) -> None:
    """Its feeds: ``bus``, ``deaths`` (how many dead letters there are in all),
    ``dead:SUBSCRIPTION``, ``dead:SUBSCRIPTION?CONDITION``, ``waiting:SUBSCRIPTION``, the last
    three with their parts percent-encoded."""

    async def bus(_: str) -> bytes:
        url = await desk.bus.url()
        queues = await desk.bus.ask(lambda driver: driver.queues())
        found = {
            "url": url,
            "queues": list(map(queue_document, queues)),
            "handlers": msgspec.Raw(await desk.control.read("/handlers")),
            "jobs": jobs.all(),
        }
        return msgspec.json.encode(found)

    async def deaths(_: str) -> bytes:
        queues = await desk.bus.ask(lambda driver: driver.queues())
        return msgspec.json.encode(sum(queue.dead for queue in queues))

    async def dead(argument: str) -> bytes:
        subscription, _, where = argument.partition("?")
        conditions = [unquote(where)] if where else []
        return await _dead(desk, unquote(subscription), conditions, _SHOWN)

    async def waiting(argument: str) -> bytes:
        return await _waiting(desk, unquote(argument), _SHOWN)

    desk.feeds.add("bus", bus)
    desk.feeds.add("deaths", deaths, every=5.0)
    desk.feeds.add("dead", dead, every=2.0)
    desk.feeds.add("waiting", waiting, every=2.0)


async def _dead(desk: Desk, subscription: str, where: list[str], limit: int) -> bytes:
    choices = _conditions(where)
    seen = _SCANNED if choices else limit

    async def look(driver: Driver) -> dict[str, Any]:
        queue = await queue_of(driver, subscription)
        found = [
            letter
            for letter in await driver.dead(subscription, seen)
            if all(holds(letter) for holds in choices)
        ]
        letters = [letter_document(letter) for letter in found[:limit]]
        matching = len(found) if choices else queue.dead
        return {"dead": queue.dead, "matching": matching, "letters": letters}

    return msgspec.json.encode(await desk.bus.ask(look))


async def _waiting(desk: Desk, subscription: str, limit: int) -> bytes:
    async def look(driver: Driver) -> list[dict[str, Any]]:
        await queue_of(driver, subscription)
        return [document(message) for message in await driver.peek(subscription, limit)]

    return msgspec.json.encode(await desk.bus.ask(look))


@letters.get("/queues")
async def get_queues(desk: Desk) -> Response:
    """What ``skerry bus ls --json`` prints."""
    queues = await desk.bus.ask(lambda driver: driver.queues())
    return _json(msgspec.json.encode(list(map(queue_document, queues))))


@letters.get("/queues/{subscription}/dead")
async def get_dead(
    desk: Desk, subscription: str, where: list[str] | None = None, limit: Limit = 100
) -> Response:
    """Dead letters, as ``skerry bus dead SUBSCRIPTION --json`` prints them, and how many."""
    return _json(await _dead(desk, subscription, where or [], limit))


@letters.get("/queues/{subscription}/waiting")
async def get_waiting(desk: Desk, subscription: str, limit: Limit = 20) -> Response:
    """What ``skerry bus peek SUBSCRIPTION --json`` prints."""
    return _json(await _waiting(desk, subscription, limit))


@letters.post("/queues/{subscription}/redrive", status=202, raises=[BadRequest, NotFound])
async def redrive(desk: Desk, jobs: Jobs, subscription: str, chosen: Chosen) -> dict[str, int]:
    """Deliver dead letters again, to the handler they died of; the number of the job that does.

    A few are done when the answer comes, many take their time: the feed ``bus`` tells.
    """
    choices = _conditions(chosen.where)
    if chosen.ids:
        wanted = frozenset(chosen.ids)
        choices.append(lambda letter: letter.message.id in wanted)
    if not choices and not chosen.everything:
        raise BadRequest(detail="say which: ids, conditions, or everything")
    bodies = {id: _checked(body) for id, body in chosen.bodies.items()}
    try:
        rate = per_second(chosen.rate)
    except ConfigError as error:
        raise BadRequest(detail=str(error)) from None
    queue = await desk.bus.ask(lambda driver: queue_of(driver, subscription))

    def change(letter: DeadLetter) -> bytes:
        return bodies.get(letter.message.id, letter.message.body)

    work = Redrive(
        subscription,
        choices,
        change=change if bodies else None,
        rate=rate,
        most=len(chosen.ids),
    )
    whole = len(chosen.ids) or queue.dead
    number = jobs.begin(subscription, chosen.rate, whole, work, lambda: desk.bus.ask(work.run))
    await jobs.wait(number, 1.0)
    return {"job": number, "done": work.done}


@letters.delete("/jobs/{number}", status=204, raises=[NotFound])
async def cancel_job(jobs: Jobs, number: int) -> None:
    """Stop a job; what it has put back stays there."""
    if not jobs.cancel(number):
        raise NotFound(detail=f"no job has the number {number}")


@letters.post("/queues/{subscription}/purge", raises=[NotFound, Conflict])
async def purge(desk: Desk, subscription: str, wanted: Purge) -> dict[str, int]:
    """Delete what waits, or what is dead, for good."""

    async def delete(driver: Driver) -> int:
        queue = await queue_of(driver, subscription)
        count = queue.dead if wanted.dead else queue.ready + queue.delayed
        if count < wanted.count:
            raise Conflict(detail=f"there are only {count} by now: look again before you delete")
        return await driver.purge(subscription, dead=wanted.dead)

    return {"deleted": await desk.bus.ask(delete)}


def _conditions(texts: list[str]) -> list[Callable[[DeadLetter], bool]]:
    try:
        return [condition(text) for text in texts]
    except ConfigError as error:
        raise BadRequest(detail=str(error)) from None


def _checked(body: str) -> bytes:
    content = body.encode()
    try:
        msgspec.json.decode(content, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        raise BadRequest(detail=f"the new body is not JSON: {error}") from None
    return content


def _json(content: bytes) -> Response:
    headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(content))]
    return Response(200, Headers(headers), content)
