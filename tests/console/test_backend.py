"""What the console tells its pages is what the command line prints; and what it does, too."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from .conftest import PATIENCE, Place, command, fetch, until

CHANGING = {"memory_mib", "counts", "recent", "events", "trend", "failed", "since"}


def still(value: Any) -> Any:
    """What does not change from one moment to the next."""
    if isinstance(value, dict):
        return {key: still(one) for key, one in value.items() if key not in CHANGING}
    return [still(one) for one in value] if isinstance(value, list) else value


def test_fleet_is_what_ps_prints(place: Place) -> None:
    status, fleet = place.ask("/api/fleet")
    assert status == 200
    assert still(fleet) == still(place.ps())
    shop = next(app for app in fleet["apps"] if app["app"] == "shop")
    assert (shop["owner"], shop["team"], shop["versions"]) == (
        "ann@example.org",
        "sales",
        ["1.4.2"],
    )


def test_logs_are_what_logs_prints(place: Place) -> None:
    with urllib.request.urlopen(f"{place.url}/api/logs?app=shop&lines=500") as answer:
        lines = [json.loads(line) for line in answer]
    assert lines == [
        json.loads(line)
        for line in place.skerry("logs", "shop", "--json", "-n", "500").splitlines()
    ]
    assert "looked up o-1" in [line["text"] for line in lines]
    assert place.ask("/api/logs?app=nobody")[0] == 404


def test_stacks_are_what_stack_live_prints(place: Place) -> None:
    status, stacks = place.ask("/api/apps/shop/stacks")
    assert status == 200
    printed = json.loads(place.skerry("stack", "shop", "--live", "--json"))
    assert printed["stacks"] == stacks["stacks"]
    drawn = json.loads(place.skerry("stack", "shop", "--endpoint", "get_order", "--json"))
    server = next(view for view in stacks["stacks"] if view["kind"] == "server")
    assert server["rows"] == drawn
    assert set(server["names"]) == {"order", "get_order", "balance"}
    assert "closed" in place.skerry("stack", "shop", "--live")


def test_the_bus_is_what_bus_prints(place: Place) -> None:
    assert place.ask("/api/bus/queues") == (200, json.loads(place.skerry("bus", "ls", "--json")))
    status, found = place.ask("/api/bus/queues/shop.bill/dead")
    assert (status, found["dead"], found["matching"]) == (200, 5, 5)
    printed = json.loads(place.skerry("bus", "dead", "shop.bill", "--json"))
    assert found["letters"] == printed
    assert found["letters"][0]["error"] == "Unpayable"
    assert "nobody lends" in found["letters"][0]["stack"]
    status, found = place.ask(
        "/api/bus/queues/shop.bill/dead?where=body~bad-3&where=error=Unpayable"
    )
    assert [letter["body"]["customer"] for letter in found["letters"]] == ["bad-3"]
    assert found["matching"] == 1
    assert place.ask("/api/bus/queues/shop.bill/waiting") == (200, [])
    assert place.ask("/api/bus/queues/shop.bil/dead")[0] == 404
    status, problem = place.ask("/api/bus/queues/shop.bill/dead?where=nonsense")
    assert status == 400
    assert "is no condition" in problem["detail"]


def test_dead_letters_are_edited_redriven_and_purged(place: Place) -> None:
    queue = "/api/bus/queues/shop.bill"
    shop = place.address("shop")
    for name in ("bad-edit", "bad-again", "bad-gone"):
        assert fetch(f"{shop}/orders", "POST", {"customer": name})[0] == 201

    def dead(name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = place.ask(f"{queue}/dead?where=key={name}")[1]["letters"]
        return found

    (letter,) = until(lambda: dead("bad-edit"))
    body = json.dumps({**letter["body"], "customer": "good"})
    chosen = {"ids": [letter["id"]], "bodies": {letter["id"]: body}}
    assert place.ask(f"{queue}/redrive", "POST", chosen) == (202, {"job": 1, "done": 1})
    until(lambda: not dead("bad-edit"), "handling")
    broken = {"ids": [letter["id"]], "bodies": {letter["id"]: "{"}}
    assert place.ask(f"{queue}/redrive", "POST", broken)[0] == 400
    assert place.ask(f"{queue}/redrive", "POST", {})[0] == 400
    assert place.ask(f"{queue}/redrive", "POST", {"everything": True, "rate": "soon"})[0] == 400

    (before,) = until(lambda: dead("bad-again"))
    again = {"where": ["key=bad-again"], "rate": "100/s"}
    assert place.ask(f"{queue}/redrive", "POST", again)[0] == 202
    until(
        lambda: dead("bad-again") and dead("bad-again")[0]["died"] != before["died"], "dying again"
    )

    slow = {"everything": True, "rate": "1/h"}
    job = place.ask(f"{queue}/redrive", "POST", slow)[1]["job"]
    assert place.ask(f"/api/bus/jobs/{job}", "DELETE")[0] == 204
    assert place.ask("/api/bus/jobs/99", "DELETE")[0] == 404

    count = place.ask(f"{queue}/dead")[1]["dead"]
    status, problem = place.ask(f"{queue}/purge", "POST", {"dead": True, "count": count + 50})
    assert (status, "look again" in problem["detail"]) == (409, True)
    waiting = {"dead": False, "count": 0}
    assert place.ask(f"{queue}/purge", "POST", waiting) == (200, {"deleted": 0})
    assert place.ask(f"{queue}/dead")[1]["dead"] >= 5


def test_a_call_is_tried(place: Place) -> None:
    status, contract = place.ask("/api/apps/shop/contract")
    assert status == 200
    assert contract == json.loads(place.skerry("contract", "show", "shop", "--json"))
    call = {
        "method": "POST",
        "target": "/orders?express=true",
        "headers": [["content-type", "application/json"]],
        "body": '{"customer": "ann", "count": 2}',
    }
    status, answered = place.ask("/api/apps/shop/try", "POST", call)
    assert (status, answered["status"], answered["failed"]) == (200, 201, "")
    assert json.loads(answered["body"]) == {"id": "o-1", "total": 2}
    assert len(answered["trace"]) == 32
    assert answered["milliseconds"][0] > 0
    call["body"] = '{"customer": "ann", "goods": "salt"}'
    answered = place.ask("/api/apps/shop/try", "POST", call)[1]
    assert (answered["status"], json.loads(answered["body"])["title"]) == (
        409,
        "There is none left",
    )
    for wrong in (
        {"method": "CONNECT"},
        {"target": "orders"},
        {"target": "/a b"},
        {"headers": [["a", "b\r\nc: d"]]},
    ):
        assert place.ask("/api/apps/shop/try", "POST", call | wrong)[0] == 400
    assert place.ask("/api/apps/shoop/try", "POST", call)[0] == 404
    answered = place.ask("/api/apps/rates/try", "POST", {"method": "GET", "target": "/"})[1]
    assert answered["failed"] or answered["status"] >= 500  # nobody listens there
    assert place.ask("/api/apps/plain/contract")[0] == 404


def test_apps_are_stopped_started_scaled_and_restarted(place: Place) -> None:
    assert place.ask("/api/apps/bank/scale?instances=1", "POST")[1]["ready"] == 1
    assert place.ask("/api/apps/bank/stop", "POST")[1]["state"] == "stopped"
    assert place.ask("/api/apps/bank/start", "POST")[1]["ready"] == 2
    before = {row["pid"] for row in place.ps()["instances"] if row["app"] == "bank"}
    assert place.ask("/api/apps/bank/restart", "POST")[1]["ready"] == 2
    assert before.isdisjoint(row["pid"] for row in place.ps()["instances"])
    assert place.ask("/api/apps/bank/scale?instances=1000", "POST")[0] == 422
    assert place.ask("/api/apps/none/restart", "POST")[0] == 404
    assert place.skerry("stop", "bank") == "bank: stopped\n"
    assert place.skerry("start", "bank") == "bank: 2 of 2 ready\n"


def test_one_stream_has_what_is_watched(place: Place) -> None:
    names = "fleet,bus,deaths,stacks,stack:shop,dead:shop.bill?key%253Dbad-1"
    found: dict[str, Any] = {}
    with urllib.request.urlopen(f"{place.url}/api/live?watch={names}", timeout=PATIENCE) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        for line in answer:
            if line.startswith(b"data: "):
                event = json.loads(line[6:])
                found[event["name"]] = event["value"]
            if len(found) == 6:
                break
    assert found["fleet"]["fleet"] == "harbour"
    assert found["deaths"] >= 5
    assert {queue["subscription"] for queue in found["bus"]["queues"]} == {"shop.bill"}
    assert found["bus"]["handlers"][0]["subscription"] == "shop.bill"
    assert found["dead:shop.bill?key%3Dbad-1"]["matching"] == 1
    assert [one["app"] for one in found["stacks"]] == ["shop", "bank", "plain", "rates"]
    assert place.ask("/api/live?watch=nothing")[0] == 400


def test_files_and_pages(place: Place) -> None:
    status, said = place.ask("/api/pages")
    assert (status, said["fleet"]) == (200, "harbour")
    assert {"bus", "fleet", "logs", "stacks", "try"} <= set(said["pages"])
    with urllib.request.urlopen(f"{place.url}/static/main.js") as answer:
        tag = answer.headers["etag"]
        assert answer.headers["content-type"].startswith("text/javascript")
    assert place.ask("/static/main.js", if_none_match=tag)[0] == 304
    for path in (
        "/static/none.js",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/pages",
        "/static//etc/hosts",
    ):
        assert place.ask(path)[0] == 404


def test_the_address_is_printed(place: Place) -> None:
    assert place.skerry("console") == f"{place.url}\n"
    assert json.loads(place.skerry("console", "--json")) == {"url": place.url}


def test_nothing_of_the_environment_is_told(place: Place) -> None:
    for path in ("/api/fleet", "/api/apps/shop/stacks", "/api/pages"):
        assert "SKERRY_" not in json.dumps(place.ask(path)[1])


def test_a_fleet_that_has_ended(tmp_path: Any) -> None:
    (tmp_path / "fleet.toml").write_text('[fleet]\nname = "none"\n[apps.far]\nurl = "http://x"\n')
    with pytest.raises(AssertionError, match="no fleet is running"):
        command(tmp_path, "console")
