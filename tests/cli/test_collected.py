"""``skerry trace``, ``errors``, ``objectives`` and ``alerts``, beside a collector."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skerry.cli.output import sparkline
from skerry.cli.waterfall import lines, rows
from skerry.observe.model import CLIENT, SERVER, Endpoint, Span

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A collector in which a storm has passed."""
    folder = tmp_path_factory.mktemp("collector")
    (folder / "promises.json").write_text('{"apps": {"ledger": {"owner": "ledger@x.y"}}}')
    command = [sys.executable, "-m", "skerry.cli.main", "run", "skerry.collector.app:app"]
    with subprocess.Popen(
        [*command, "--port", "0"],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": "", "SKERRY_COLLECTOR_PROMISES": "promises.json"},
    ) as process:
        try:
            assert process.stderr is not None
            url = process.stderr.readline().split()[-1]
            for number in range(15):
                _post(url, _storm(TRACE if number == 0 else f"{number:032x}", "OSError: locked"))
            _until(lambda: _get(url, "/api/skerry/alerts") and _get(url, "/api/skerry/incidents"))
            yield url
        finally:
            process.terminate()


def _storm(trace: str, error: str) -> list[dict[str, Any]]:
    now = int(time.time() * 1e6)

    def span(id: str, parent: str | None, app: str, kind: str, name: str, when: range) -> Any:
        found: dict[str, Any] = {"traceId": trace, "id": id * 16, "kind": kind, "name": name}
        found |= {"timestamp": now + when.start, "duration": len(when), "tags": {"error": ""}}
        found |= {"localEndpoint": {"serviceName": app}}
        return found | ({"parentId": parent * 16} if parent else {})

    last = span("3", "2", "ledger", "SERVER", "PUT /events", range(40_000, 90_000))
    last["tags"] = {"error": error, "error.type": "OSError", "http.response.status_code": "500"}
    return [
        span("1", None, "payments", "SERVER", "POST /payments", range(120_000)),
        span("2", "1", "payments", "CLIENT", "PUT", range(30_000, 100_000)),
        last,
    ]


def _post(url: str, spans: Any) -> None:
    body = json.dumps(spans).encode()
    request = urllib.request.Request(
        f"{url}/api/v2/spans", body, {"content-type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=20).close()


def _get(url: str, path: str) -> Any:
    with urllib.request.urlopen(url + path, timeout=20) as answer:
        return json.load(answer)


def _until(true: Callable[[], Any]) -> None:
    for _ in range(400):
        if true():
            return
        time.sleep(0.05)
    raise TimeoutError


def test_traces_are_found(run: Callable[..., Any], url: str) -> None:
    done = run("trace", "ls", "--collector", url, "--app", "ledger", "--errors", "-n", "50")
    assert done.status == 0
    head, *found = done.out.splitlines()
    assert head.split() == ["TRACE", "AGE", "APP", "WHAT", "TOOK", "SPANS", "APPS", "FAILED"]
    assert len(found) == 15 and any(line.startswith(TRACE) for line in found)
    assert "post /payments" in found[0] and "120ms" in found[0]
    assert found[0].endswith("ledger, payments")
    data = json.loads(run("trace", "ls", "--collector", url, "--json", "-n", "1").out)
    assert {share["app"]: share["errors"] for share in data[0]["apps"]} == {
        "ledger": 1,
        "payments": 2,
    }
    assert data[0]["seconds"] == 0.12
    slowest = json.loads(run("trace", "ls", "--collector", url, "--json", "--slowest").out)
    assert len(slowest) == 15
    where = ("--where", "http.response.status_code=500")
    assert len(run("trace", "ls", "--collector", url, *where).out.splitlines()) == 16
    for nothing in (
        ("--app", "nobody"),
        ("--slower", "1s"),
        ("--faster", "1ms"),
        ("--where", "x=y"),
    ):
        done = run("trace", "ls", "--collector", url, *nothing)
        assert done.out == "" and "no trace is like that" in done.err


def test_a_trace_is_drawn(run: Callable[..., Any], url: str) -> None:
    done = run("trace", "show", TRACE, "--collector", url)
    head, *found = done.out.splitlines()
    assert head == f"trace {TRACE}  120ms  3 spans  2 apps  3 errors"
    assert found[0].startswith("payments post /payments") and found[0].endswith("120ms")
    assert any(line.split() == ["✗", "OSError:", "locked"] for line in found)
    assert (
        "http.response.status_code = 500"
        in run("trace", "show", TRACE, "--collector", url, "--attributes").out
    )
    assert len(json.loads(run("trace", "show", TRACE, "--collector", url, "--json").out)) == 3
    drawn = json.loads(run("trace", "show", TRACE, "--collector", url, "--json", "--drawn").out)
    assert [row["app"] for row in drawn["rows"]] == ["payments", "payments", "ledger"]
    assert drawn["rows"][2]["critical"] == [[40_000, 90_000]]
    assert run("trace", "links", TRACE, "--collector", url).err.startswith("it is linked to no")
    links = json.loads(run("trace", "links", TRACE, "--collector", url, "--json").out)
    assert links == {"before": [], "after": []}
    done = run("trace", "show", "abc", "--collector", url)
    assert done.status == 1 and "No trace 0000000000000abc is kept" in done.err


def test_a_trace_is_drawn_with_what_was_logged(
    run: Callable[..., Any], url: str, planted: Path
) -> None:
    said = {"message": "not kept", "level": "error", "trace_id": TRACE, "left": 3}
    ids = {row["app"]: row["id"] for row in _drawn(run, url)["rows"]}
    logs = planted / ".skerry/logs"
    logs.mkdir(parents=True)
    for source, line in (
        ("ledger-1", {**said, "span_id": ids["ledger"], "exception": "Trace\nOSError: locked"}),
        ("payments-1", {**said, "span_id": "f" * 16}),
    ):
        text = f"2026-01-01T00:00:01.000Z {json.dumps(line)}\n"
        (logs / f"{source}.log").write_text(text)
    found = run("trace", "show", TRACE, "--collector", url, "--logs").out.splitlines()
    (place,) = [i for i, line in enumerate(found) if "ledger-1 | " in line]
    assert found[place] == "    00:00:01.000 ledger-1 | ERROR   not kept left=3"
    assert found[place + 2].endswith("| OSError: locked")
    assert any(line.startswith("ledger ") for line in found[:place])
    (other,) = [i for i, line in enumerate(found) if "payments-1 | " in line]
    assert other < place  # of a span that was not kept: at the root
    whole = json.loads(run("trace", "show", TRACE, "--collector", url, "--logs", "--json").out)
    assert (len(whole["spans"]), len(whole["logs"])) == (3, 2)
    drawn = ("trace", "show", TRACE, "--collector", url, "--logs", "--drawn", "--json")
    assert [line["source"] for line in json.loads(run(*drawn).out)["logs"]] == [
        "ledger-1",
        "payments-1",
    ]


def _drawn(run: Callable[..., Any], url: str) -> Any:
    return json.loads(run("trace", "show", TRACE, "--collector", url, "--json", "--drawn").out)


def test_incidents(run: Callable[..., Any], url: str) -> None:
    done = run("errors", "ls", "--collector", url)
    (line,) = done.out.splitlines()[1:]
    id = line.split()[0]
    assert "ledger" in line and "OSError in put /events" in line and line.endswith("payments")
    shown = run("errors", "show", id, "--collector", url).out
    assert shown.startswith("ledger: OSError in put /events\n")
    assert "message    OSError: locked" in shown
    assert "hurts      payments post /payments, 15 times" in shown
    assert "skerry trace show" in shown
    data = json.loads(run("errors", "show", id, "--collector", url, "--json").out)
    assert data["count"] == 15 and data["alert"].startswith("ledger-")
    assert f"alert      {data['alert']}" in shown and "owner      ledger@x.y" in shown
    found = run("errors", "ls", "--collector", url, "--search", "oserror ledger@x.y").out
    assert found.splitlines()[1].split()[0] == id
    none = run("errors", "ls", "--collector", url, "--search", "keyerror")
    assert none.out == "" and "no incident is like that" in none.err
    assert run("errors", "resolve", id, "--collector", url).out.endswith(": resolved\n")
    assert "nothing is wrong" in run("errors", "ls", "--collector", url).err
    done = run("errors", "ls", "--collector", url, "--state", "resolved")
    assert len(done.out.splitlines()) == 2
    assert run("errors", "reopen", id, "--collector", url).out.endswith(": open\n")
    done = run("errors", "show", "nothing", "--collector", url)
    assert done.status == 1 and "No incident" in done.err


def test_objectives_and_alerts(run: Callable[..., Any], url: str) -> None:
    done = run("objectives", "--collector", url)
    assert done.status == 0
    found = {line.split()[0]: line for line in done.out.splitlines()[1:]}
    assert "99.9 % answered" in found["ledger"] and found["ledger"].endswith("page")
    done = run("alerts", "--collector", url)
    assert done.status == 1
    assert done.out.startswith("page: ledger breaks what it has promised, and 1 that needs it\n")
    assert "owner      ledger@x.y" in done.out
    assert "hurts      payments as a whole: availability" in done.out
    (alert,) = json.loads(run("alerts", "--collector", url, "--json").out)
    assert alert["state"] == "firing" and alert["victims"][0]["app"] == "payments"


def test_nobody_answers(run: Callable[..., Any]) -> None:
    done = run("errors", "ls", "--collector", "http://127.0.0.1:1")
    assert done.status == 1
    assert "the collector at http://127.0.0.1:1 does not answer" in done.err


def test_a_time_that_is_none(run: Callable[..., Any], url: str) -> None:
    done = run("trace", "ls", "--collector", url, "--slower", "soon")
    assert done.status == 1 and "'soon' is no time; write it like 200ms" in done.err


def test_a_fleet_without_one(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text("[apps]\n")
    done = run("alerts", "--file", str(tmp_path))
    assert done.status == 1 and "no fleet is running" in done.err


def test_a_waterfall() -> None:
    def span(id: int, parent: int | None, app: str, at: int, long: int, kind: str = SERVER) -> Span:
        return Span(
            "a" * 32,
            id=f"{id:016x}",
            parent_id=None if parent is None else f"{parent:016x}",
            name=f"do {id}",
            kind=kind,
            timestamp=1_000_000 + at,
            duration=long,
            local_endpoint=Endpoint(app),
            tags={"error": "no"} if id == 3 else {},
        )

    trace = [
        span(1, None, "portal", 0, 100),
        span(2, 1, "portal", 25, 50, CLIENT),
        span(3, 2, "pay", 50, 25),
    ]
    assert list(lines(rows(trace), 50, colour=False)) == [
        "portal do 1     ████████████████████████   100µs",
        "portal   → do 2       ████████████          50µs",
        "pay        do 3             ██████          25µs\n             ✗ no",
    ]
    assert all("\x1b[" in line for line in lines(rows(trace), 50, colour=True))


def test_a_sparkline() -> None:
    assert sparkline([0] * 60, 12) == " " * 12
    assert sparkline([0] * 50 + [1] * 5 + [8] * 5, 12) == " " * 10 + "▁█"
