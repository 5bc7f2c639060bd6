"""The table of ``skerry ps``."""

from __future__ import annotations

from typing import Any

import pytest

from skerry.cli.status import rows, show

NOTHING = {
    "requests": 0,
    "errors": 0,
    "p50_ms": None,
    "p99_ms": None,
    "calls": 0,
    "events": 0,
    "events_failed": 0,
    "events_p50_ms": None,
    "events_p99_ms": None,
}
SOME = {**NOTHING, "requests": 12, "errors": 3, "p50_ms": 1.25, "p99_ms": 20.0, "calls": 1}
HANDLED = {"events": 9, "events_failed": 2, "events_p50_ms": 3.0, "events_p99_ms": 4.0}


def instance(name: str, **more: Any) -> dict[str, Any]:
    return {
        "app": name.rpartition("-")[0],
        "id": name,
        "state": "ready",
        "url": f"http://{name}",
        "pid": 7,
        "since": 100.0,
        "restarts": 0,
        "memory_mib": 61.6,
        "detail": "",
        "last": [],
        "counts": NOTHING,
    } | more


def app(name: str, **more: Any) -> dict[str, Any]:
    return {"app": name, "state": "ready", "ready": 1, "url": "", "counts": SOME} | more


STATUS: dict[str, Any] = {
    "fleet": "f",
    "root": "/f",
    "front": "http://front",
    "console": "",
    "notes": ["a and b need each other"],
    "apps": [app("one"), app("two", ready=1), app("far", state="external", url="http://far")],
    "instances": [
        instance("one-1", counts=None),
        instance("two-1"),
        instance(
            "two-2",
            state="crashed",
            url="",
            pid=None,
            memory_mib=None,
            restarts=4,
            detail="status 1",
            last=["Traceback", "Boom"],
        ),
    ],
    "edges": [],
    "attendants": [],
    "backings": [instance("database", counts=None)],
}


def test_rows() -> None:
    assert list(rows(STATUS, 160.0)) == [
        ["one", "ready", "http://one-1", "7", "0", "1m", "62", "12", "3", "1.2", "20.0"],
        ["two", "1/2 ready", "", "", "", "", "", "12", "3", "1.2", "20.0"],
        ["  two-1", "ready", "http://two-1", "7", "0", "1m", "62", "0", "0", "", ""],
        ["  two-2", "crashed", "", "", "4", "1m", "", "0", "0", "", ""],
        ["far", "external", "http://far", "", "", "", "", "12", "3", "1.2", "20.0"],
        ["database", "ready", "http://database", "7", "0", "1m", "62", "", "", "", ""],
    ]


def test_events_have_their_columns_where_somebody_handles_some(
    capsys: pytest.CaptureFixture[str],
) -> None:
    daemon, both = app("notify", counts=NOTHING | HANDLED), app("ledger", counts=SOME | HANDLED)
    idle = app("idle", counts=NOTHING)
    instances = [instance(f"{name}-1") for name in ("notify", "ledger", "idle")]
    show(STATUS | {"apps": [daemon, both, idle], "instances": instances}, 160.0)
    heads, *lines = capsys.readouterr().out.splitlines()[:4]
    assert heads.split()[-8:] == [
        "REQUESTS",
        "ERRORS",
        "P50",
        "MS",
        "P99",
        "MS",
        "EVENTS",
        "FAILED",
    ]
    assert lines[0].split()[-6:] == ["0", "0", "3.0", "4.0", "9", "2"]
    assert lines[1].split()[-6:] == ["12", "3", "1.2", "20.0", "9", "2"]
    assert lines[2].split()[-2:] == ["0", "0"]
    show(STATUS, 160.0)
    assert "EVENTS" not in capsys.readouterr().out


def test_what_needs_somebody_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    show(STATUS, 160.0)
    out = capsys.readouterr().out
    assert "fleet f in /f; front door: http://front" in out
    assert "note: a and b need each other" in out
    assert "two-2 is crashed: status 1\n    Traceback\n    Boom\n" in out
