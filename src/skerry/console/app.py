"""The console as an app like any other: ``skerry.console.app:app``, beside each fleet.

It serves the files of its pages, JSON for them, and one live stream. A page is a module in
``static/pages``, and where it needs answers of its own, a module here with ``Routes`` and feeds:
see docs/design/console.md.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

from skerry.app.app import App
from skerry.core.errors import BadRequest, NotFound
from skerry.core.wire import Headers, Request, Response, Stream

from . import apps, endpoints, journeys, letters, traces, troubles, trying
from . import map as mapping
from .desk import Desk
from .files import answer_file, pages_in
from .guard import Guard
from .jobs import Jobs

app = App("console", description="Shows a fleet, and does what the command line does.")
app.include(apps.apps)
app.include(letters.letters)
app.include(trying.trying)
app.include(traces.traces)
app.include(mapping.mapped)
app.include(journeys.journeys)
app.include(troubles.troubles)
app.include(endpoints.endpoints)
app.middleware(Guard)


@app.resource
async def desk(jobs: Jobs) -> AsyncIterator[Desk]:
    """What its parts share, with every feed that pages may watch."""
    made = Desk()
    apps.offer(made)
    letters.offer(made, jobs)
    traces.offer(made)
    mapping.offer(made)
    troubles.offer(made)
    endpoints.offer(made)
    try:
        yield made
    finally:
        await made.close()


@app.resource
async def shown(desk: Desk) -> journeys.Journeys:
    """What is known of journeys, with their feeds."""
    return journeys.Journeys(desk)


@app.resource
async def jobs() -> AsyncIterator[Jobs]:
    """Redriving that goes on."""
    made = Jobs()
    try:
        yield made
    finally:
        await made.close()


@app.get("/api/pages")
async def get_pages() -> dict[str, list[str] | str]:
    """The pages' modules and style sheets, and what the fleet is called."""
    fleet = os.environ.get("SKERRY_FLEET", "")
    return {"fleet": fleet, "pages": pages_in(".js"), "styles": pages_in(".css")}


@app.get("/api/live", raises=[BadRequest])
async def get_live(desk: Desk, watch: str) -> Response:
    """Server-sent events of these feeds, separated by commas."""
    names = [name for name in watch.split(",") if name]
    desk.feeds.check(names)
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
    return Response(200, Headers(headers), Stream(desk.feeds.watch(names)))


@app.get("/", name="page", hidden=True)
async def get_page(request: Request) -> Response:
    return answer_file(request, "index.html")


@app.get("/static/{path:path}", name="file", hidden=True, raises=[NotFound])
async def get_file(request: Request, path: str) -> Response:
    return answer_file(request, path)
