"""What the page Journeys asks, of a probe that is a dictionary and of files."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from skerry.console.declared import Declared
from skerry.console.feeds import Feeds
from skerry.console.journeys import Journeys, ProbeAway
from skerry.console.upstream import CollectorAway, Refused, Upstream
from skerry.core.service import Service
from skerry.core.wire import Headers, Request, Response


def answering(documents: dict[str, Any], asked: list[str]) -> Service[Request, Response]:
    async def answer(request: Request) -> Response:
        asked.append(request.path)
        found = documents.get(request.path)
        body = b"{}" if found is None else json.dumps(found).encode()
        return Response(404 if found is None else 200, Headers(), body)

    return answer


class Desk:
    """Everybody whom the console asks, as dictionaries."""

    def __init__(self, state: str = "ready", root: str = "") -> None:
        row: dict[str, Any] = {"id": "journeys", "state": state, "url": "http://127.0.0.1:9"}
        row |= {"detail": "no module", "last": ["line 1"]}
        self.attendants = [row] if state else []
        self.root = root
        self.asked: list[str] = []
        self.probed: dict[str, Any] = {}
        self.collected: dict[str, Any] = {}
        self.feeds = Feeds()
        self.http = self
        self.collector = Upstream(answering(self.collected, self.asked), CollectorAway)

    def connect(self, address: object) -> Service[Request, Response]:
        return answering(self.probed, self.asked)

    async def status(self) -> dict[str, Any]:
        return {"attendants": self.attendants, "root": self.root}


def shown(desk: Desk) -> Journeys:
    return Journeys(desk)  # type: ignore[arg-type]


def journey(run: str = "r1", ok: bool = True, ago: float = 60.0) -> dict[str, Any]:
    started = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()
    error = {"step": "pay", "message": "assert a"}
    last = {"run": run, "trace": f"t{run}", "started": started, "duration": 0.1, "ok": ok}
    last |= {"error": None if ok else error, "screenshots": []}
    return {"name": "pay", "apps": ["quotes"], "last": last, "recent": [last]}


def span(service: str, at: int) -> dict[str, Any]:
    return {"timestamp": at, "localEndpoint": {"serviceName": service}}


async def test_each_has_the_apps_it_led_through_its_promises_and_its_alert() -> None:
    desk = Desk()
    page = shown(desk)
    desk.probed["/journeys"] = [journey()]
    whole = await page.overview()
    (one,) = whole["journeys"]
    assert (whole["probe"], one["crossed"]) == ("ready", ["quotes"])  # there is no trace
    assert (one["promises"], one["alert"]) == ([], None)
    trace = [span("quotes", 3), span("journeys", 1), span("portal", 2), span("quotes", 4)]
    desk.collected["/api/v2/trace/tr1"] = trace
    promise = {"app": "journeys", "endpoint": "pay", "left": 0.5}
    desk.collected["/api/skerry/objectives"] = [promise, {"app": "quotes", "endpoint": ""}]
    broken = {"app": "journeys", "endpoint": "pay"}
    alert = {"state": "firing", "app": "quotes", "causes": [], "victims": [broken]}
    over = {**alert, "state": "resolved", "app": "portal"}
    desk.collected["/api/skerry/alerts"] = [over, alert]
    (one,) = (await page.overview())["journeys"]
    assert one["crossed"] == ["portal", "quotes"]
    assert (one["promises"], one["alert"]) == ([promise], alert)
    desk.asked.clear()
    await page.overview()
    assert "/api/v2/trace/tr1" not in desk.asked  # what has ended does not change


@pytest.mark.parametrize("run", [{"ok": False}, {"ago": -3600.0}])
async def test_only_whole_traces_of_good_runs_tell_that(run: dict[str, Any]) -> None:
    desk = Desk()
    desk.probed["/journeys"] = [journey(**run)]
    desk.collected["/api/v2/trace/tr1"] = [span("portal", 1)]
    (one,) = (await shown(desk).overview())["journeys"]
    assert one["crossed"] == ["quotes"]


async def test_a_history_is_read_again_when_there_is_a_new_run() -> None:
    desk = Desk()
    page = shown(desk)
    for run, ok in (("r1", True), ("r1", True), ("r2", False)):
        found = journey(run, ok)
        desk.probed["/journeys/pay"] = found
        desk.probed["/journeys/pay/runs"] = [found["last"]]
        one = await page.one("pay")
    assert desk.asked.count("/journeys/pay/runs") == 2
    (last,) = one["history"]
    assert (last["run"], last["step"], last["message"]) == ("r2", "pay", "assert a")
    with pytest.raises(Refused):
        await page.one("nothing")


async def test_how_many_fail() -> None:
    desk = Desk()
    desk.probed["/journeys"] = [journey(), journey(ok=False), {**journey(), "last": None}]
    assert await shown(desk).failing() == 1
    assert await shown(Desk("crashed")).failing() == 0
    assert await shown(Desk("")).failing() == 0


async def test_a_probe_that_does_not_start_says_why() -> None:
    whole = await shown(Desk("crashed")).overview()
    assert whole == {"probe": "crashed", "detail": "no module\nline 1", "journeys": []}


JOURNEY = '''
from skerry import Http, journey

@journey(every="1m", owner="{owner}")
async def look(http: Http) -> None:
    """Somebody looks."""
'''


async def test_without_a_probe_the_files_say_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text("[apps.far]\nurl = 'http://far'\n")
    page = shown(Desk("", str(tmp_path)))
    assert await page.overview() == {"probe": "off", "detail": "", "journeys": []}
    with pytest.raises(ProbeAway, match="probe = true"):
        await page.one("look")
    file = tmp_path / "journeys" / "look.py"
    file.parent.mkdir()
    file.write_text(JOURNEY.format(owner="ann"))
    (one,) = (await page.overview())["journeys"]
    assert (one["name"], one["owner"], one["every"]) == ("look", "ann", 60.0)
    file.write_text("1 / 0\n" + JOURNEY.format(owner="ann"))
    whole = await page.overview()
    assert whole["journeys"] == []
    assert "ZeroDivisionError" in whole["detail"]


async def test_files_are_imported_again_only_when_they_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fleet.toml").write_text("[apps.far]\nurl = 'http://far'\n")
    (tmp_path / "journeys").mkdir()
    declared = Declared()
    times = 0

    async def ask(root: str) -> tuple[list[dict[str, Any]], str]:
        nonlocal times
        times += 1
        await asyncio.sleep(0)
        return [], ""

    monkeypatch.setattr(declared, "_ask", ask)
    for _ in range(3):
        await declared.read(str(tmp_path))
    assert times == 1
    (tmp_path / "journeys" / "look.py").write_text("x = 1\n")
    await declared.read(str(tmp_path))
    (tmp_path / "trips").mkdir()
    (tmp_path / "fleet.toml").write_text("[apps.far]\nurl='http://far'\n[journeys]\npath='trips'")
    await declared.read(str(tmp_path))
    (tmp_path / "trips" / "look.py").write_text("x = 1\n")
    await declared.read(str(tmp_path))
    assert times == 4
