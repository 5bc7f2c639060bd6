"""What the pages Errors and Alerts ask, of a collector that is a dictionary."""

from __future__ import annotations

import json
from typing import Any

import pytest

from skerry.app.app import App
from skerry.app.testclient import TestClient
from skerry.console.desk import Desk as RealDesk
from skerry.console.feeds import Feeds
from skerry.console.troubles import offer, read_alerts, troubles
from skerry.console.upstream import CollectorAway, Upstream
from skerry.core.wire import Headers, Request, Response, read_all

from .conftest import Place
from .test_browser import Window, open_window, window

__all__ = ["open_window", "window"]

LEDGER = {"app": "ledger", "endpoint": "", "measure": "availability"}
PORTAL = {"app": "portal", "endpoint": "GET /", "measure": "availability"}


class Desk:
    """Whom the console asks; ``asked`` is what."""

    def __init__(self, documents: dict[str, Any]) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.documents = documents
        self.feeds = Feeds()
        self.collector = Upstream(self.answer, CollectorAway)

    async def answer(self, request: Request) -> Response:
        target = request.path + (f"?{request.query}" if request.query else "")
        body = await read_all(request.body)
        self.asked.append((request.method, target, json.loads(body) if body else None))
        found = self.documents.get(target, {})
        headers = Headers([(b"content-type", b"application/json")])
        return Response(
            200 if target in self.documents else 404, headers, json.dumps(found).encode()
        )


def alert(id: str, *incidents: str, causes: Any = (), victims: Any = ()) -> dict[str, Any]:
    return {
        "id": id,
        "causes": list(causes),
        "victims": list(victims),
        "incidents": list(incidents),
    }


async def test_alerts_come_with_what_they_name() -> None:
    standing = [{**LEDGER, "left": -1.0}, {**PORTAL, "left": 0.5}, {**PORTAL, "measure": "latency"}]
    desk = Desk(
        {
            "/api/skerry/alerts": [
                alert("b", "i2", "i1", causes=[LEDGER], victims=[PORTAL]),
                alert("a", "i1"),
            ],
            "/api/skerry/objectives": standing,
            "/api/skerry/incidents?ids=i2,i1&limit=100": [{"id": "i1"}],
        }
    )
    found = await read_alerts(desk)  # type: ignore[arg-type]
    assert [one["id"] for one in found["alerts"]] == ["b", "a"]
    assert found["objectives"] == standing[:2]
    assert found["incidents"] == [{"id": "i1"}]


async def test_without_alerts_nobody_is_asked_for_incidents() -> None:
    desk = Desk({"/api/skerry/alerts": [], "/api/skerry/objectives": [LEDGER]})
    assert await read_alerts(desk) == {  # type: ignore[arg-type]
        "alerts": [],
        "objectives": [],
        "incidents": [],
    }
    assert len(desk.asked) == 2


def serving(desk: Desk) -> App:
    app = App("console")
    app.include(troubles)

    @app.resource
    async def made() -> RealDesk:
        return desk  # type: ignore[return-value]

    return app


async def test_many_are_resolved_and_those_that_are_gone_are_told() -> None:
    desk = Desk({"/api/skerry/incidents/i1/resolve": {}, "/api/skerry/incidents/i2/resolve": {}})
    async with TestClient(serving(desk)) as client:
        body = {"ids": ["i1", "gone/x", "i2", "i1"], "by_next_release": True}
        answer = await client.post("/api/incidents/resolve", json=body)
    assert answer.json() == {"done": ["i1", "i2"], "unknown": ["gone/x"]}
    how = {"by_next_release": True}
    assert desk.asked == [
        ("POST", "/api/skerry/incidents/i1/resolve", how),
        ("POST", "/api/skerry/incidents/gone%2Fx/resolve", how),
        ("POST", "/api/skerry/incidents/i2/resolve", how),
    ]


@pytest.mark.parametrize("body", [{"ids": []}, {}, {"ids": ["a"], "by": 1}])
async def test_what_nobody_can_mean_is_refused(body: Any) -> None:
    desk = Desk({})
    async with TestClient(serving(desk)) as client:
        answer = await client.post("/api/incidents/reopen", json=body)
    assert answer.status == 422
    assert desk.asked == []


async def test_feeds_ask_what_their_names_say() -> None:
    desk = Desk({})
    offer(desk)  # type: ignore[arg-type]
    names = ["troubles", "incidents:text%3Da%2520b%26limit%3D5", "incident:a%2Fb", "alerts"]
    desk.feeds.check(names)
    stream = desk.feeds.watch(names[:3])
    said = b"".join([await anext(stream) for _ in range(4)])
    await stream.aclose()  # type: ignore[attr-defined]
    assert said.count(b"event: trouble") == 3
    assert {target for _, target, _ in desk.asked} == {
        "/api/skerry/troubles",
        "/api/skerry/incidents?text=a%20b&limit=5",
        "/api/skerry/incidents/a%2Fb",
    }


def test_a_fleet_without_a_collector_says_so(window: Window, place: Place) -> None:
    assert place.ask("/api/incidents")[0] == place.ask("/api/alerts")[0] == 503
    for hash in ("#/errors", "#/alerts", "#/errors/abc", "#/alerts/abc"):
        window.go(hash)
        window.see("This fleet has no collector")
