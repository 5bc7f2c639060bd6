"""``skerry endpoints``: a table for people, and the JSON that the console's page is made of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from skerry.cli import endpoints
from skerry.cli.output import Failed


def standing(endpoint: str = "", left: float = 1.0, burning: str | None = None) -> dict[str, Any]:
    return {"app": "bank", "endpoint": endpoint, "left": left, "burning": burning}


def endpoint(name: str, **fields: Any) -> dict[str, Any]:
    figures = {"count": 40, "errors": 0, "rate": 2 / 60, "p50": 0.012, "p95": 0.05, "p99": None}
    common = {"service": "bank", "name": name, "counts": [0, 10, 20, 10], "incidents": []}
    return {**figures, **common, **fields}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What a collector was asked that knows two endpoints."""
    questions: list[dict[str, Any]] = []

    def ask(url: str, path: str, **query: Any) -> Any:
        questions.append({"url": url, "path": path, **query})
        rows = [endpoint("post /payments", errors=1), endpoint("process orders.placed")]
        known = rows if query["service"] in ("", "bank") else []
        return {"endpoints": known, "objectives": [standing("POST /payments", 0.25), standing()]}

    monkeypatch.setattr(endpoints, "ask", ask)
    return questions


def ls(app: str = "", name: str = "", since: str = "1h", series: bool = False, **more: Any) -> int:
    return endpoints.ls(app, name, since, series, more.get("as_json", False), "http://c/", "")


def test_the_table_says_how_each_one_goes(
    asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ls(since="15m") == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split("  ")[-1].strip() == "PROMISE"
    assert "LAST 15m" in head
    assert first.split() == [
        "bank", "POST", "/payments", "2/min", "2.5%", "12ms", "50ms", "▄█▄", "25%", "left",
    ]  # fmt: skip
    assert second.split()[1:4] == ["process", "orders.placed", "2/min"]
    assert second.endswith("100% left (app)")
    assert asked[0]["url"] == "http://c"
    assert asked[0]["until"] - asked[0]["since"] == pytest.approx(900)


def test_json_is_what_the_collector_says(
    asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ls("bank", "POST /payments", series=True, as_json=True) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)["endpoints"]] == [
        "post /payments",
        "process orders.placed",
    ]
    assert (asked[0]["service"], asked[0]["name"]) == ("bank", "POST /payments")
    assert asked[0]["series"] == "true"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"since": "25h"}, "a day at most"),
        ({"since": "0s"}, "a day at most"),
        ({"since": "soon"}, "is no time"),
        ({"series": True, "as_json": True}, "APP --series --json"),
        ({"series": True, "app": "bank"}, "APP --series --json"),
    ],
)
def test_what_cannot_be_told_is_refused(
    asked: list[dict[str, Any]], given: dict[str, Any], said: str
) -> None:
    with pytest.raises(Failed, match=said):
        ls(**given)
    assert asked == []


def test_nothing_is_no_failure(
    asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ls("shop") == 0
    assert capsys.readouterr().err == "nobody asked shop for anything in the last 1h\n"


@pytest.mark.parametrize(
    ("objectives", "said"),
    [
        ([], ""),
        ([standing("GET /rate", -3.0, "page")], ""),
        ([standing(left=0.5)], "50% left (app)"),
        ([standing(left=-0.5), standing("POST /payments", 0.9)], "90% left"),
        ([standing("post /payments", -0.1), standing("POST /payments", 0.9)], "overdrawn"),
        ([standing("POST /payments", 0.9, "ticket"), standing("POST /payments", 0.1)],
         "burns: ticket"),
        ([standing("", 0.9, "page"), standing("", 0.1, "ticket")], "burns: page (app)"),
    ],
)  # fmt: skip
def test_the_promise_in_the_greatest_danger_is_told(
    objectives: list[dict[str, Any]], said: str
) -> None:
    assert endpoints.standing(endpoint("post /payments"), objectives) == said
