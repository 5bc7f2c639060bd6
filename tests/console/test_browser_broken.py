"""An app of the tuition fleet fails half of what it is asked: what the pages say of that.

One incident with its cause, red on the map, in the right trace, on the right objective, and one
alert to that app's owner; the same by the verbs is in ``tests/examples/test_breaking.py``.
"""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from .conftest import Place, Worker, command, until
from .test_browser import Window, open_window, window

__all__ = ["open_window", "window"]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

TUITION = Path(__file__).parents[2] / "examples" / "tuition"
TROUBLE = "RatesUnreadable"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The fleet, with payers who have got a price, and others who have not."""
    root = tmp_path_factory.mktemp("broken") / "tuition"
    shutil.copytree(TUITION, root, ignore=shutil.ignore_patterns(".skerry", "__pycache__"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("QUOTES_FAIL_PERCENT", "50")
        environment.delenv("DATABASE_URL", raising=False)
        command(root, "up", "--detach", "--no-reload")
    try:
        status = json.loads(command(root, "ps", "--json"))
        body = urlencode({"amount": "1000", "pay_in": "JPY"}).encode()
        for _ in range(40):
            with suppress(urllib.error.HTTPError):
                urllib.request.urlopen(f"{status['front']}/schools/ku-edu-tr", body).close()
        yield Place(root, status["console"])
    finally:
        command(root, "down")


def said(place: Place, *words: str) -> Any:
    """What a verb prints; it may have something to complain of."""
    with suppress(AssertionError):
        return json.loads(place.skerry(*words, "--json"))
    return None


def test_the_cause_is_red_on_the_map(place: Place, browser: Worker, window: Window) -> None:
    window.go("#/map")
    window.see(TROUBLE)
    causes = "[data-node][aria-label*='failures are born here']"
    window.page.locator(f"{causes}[data-node=quotes].bad").wait_for()
    window.page.locator("[data-node=portal][aria-label*='for others’ sake']").wait_for()
    assert window.page.locator(causes).count() == 1


def test_it_is_one_incident(place: Place, browser: Worker, window: Window) -> None:
    incidents = until(lambda: said(place, "errors", "ls"))
    assert [(one["service"], one["services"]) for one in incidents] == [
        ("quotes", ["quotes", "portal"])
    ]
    window.go("#/errors")
    window.see(TROUBLE).click()
    assert window.hash().startswith(f"#/errors/{incidents[0]['id']}")
    window.see("the table of rates ends in the middle of a line")
    window.see("quotes/faults.py")
    window.see("portal")


def test_the_trace_shows_where_it_was_raised(place: Place, browser: Worker, window: Window) -> None:
    (incident,) = until(lambda: said(place, "errors", "ls"))
    seen = said(place, "errors", "show", incident["id"])["seen"]
    window.go(f"#/traces/{seen[0]['trace_id']}")
    window.page.locator(".line.span", has_text="portal").first.wait_for()
    window.page.locator(".line.span", has_text="quotes").first.wait_for()
    window.see(TROUBLE)


def test_the_objective_burns(place: Place, browser: Worker, window: Window) -> None:
    window.go("#/endpoints/quotes/post%20%2Fquotes")
    window.see("99.9 % answered")
    window.see("overdrawn")
    window.page.locator(".promised.broken .tag", has_text="pages").wait_for()
    window.see("page")
    standing = [one for one in said(place, "objectives") if one["burning"]]
    assert ("quotes", "POST /quotes") in [(one["app"], one["endpoint"]) for one in standing]


def test_its_owner_is_told_and_nobody_else(place: Place, browser: Worker, window: Window) -> None:
    window.go("#/alerts")
    window.see("pricing@tuition.example")
    assert window.page.get_by_text("web@tuition.example").count() == 0
    window.see("portal")  # below it
