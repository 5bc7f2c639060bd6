"""Errors and alerts in a real browser: of a fleet whose ledger is made to fail, and of incidents
that are known because they were posted."""

from __future__ import annotations

import json
import re
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from .conftest import PATIENCE, Place, Worker, command, fetch, until
from .test_browser import CONTRAST, Window
from .test_browser_traces import SERVER, otlp, pairs, span

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FILES = {
    "fleet.toml": """
        [fleet]
        name = "tuition"

        [front]
        routes = { "/" = "portal" }

        [apps.portal]
        needs = ["payments"]
        owner = "ann@example.org"

        [apps.payments]
        needs = ["ledger"]
        owner = "bob@example.org"

        [apps.ledger]
        owner = "books@example.org"
        team = "books"
    """,
    "portal/app.py": """
        from skerry import App

        app = App("portal")
        payments = app.client("payments")

        @app.get("/")
        async def page() -> dict[str, int]:
            return await payments.pay()

        @app.get("/last")
        async def last() -> dict[str, int]:
            return await payments.last()
    """,
    "payments/app.py": """
        from skerry import App

        app = App("payments")
        ledger = app.client("ledger")

        @app.post("/payments")
        async def pay() -> dict[str, int]:
            return await ledger.book()

        @app.get("/last")
        async def last() -> dict[str, int]:
            return await ledger.last()
    """,
    "ledger/app.py": """
        from itertools import count
        from pathlib import Path
        from skerry import App

        app = App("ledger", version="1.9.0")
        switch = Path(__file__).with_name("broken")
        numbers = count()

        def insert(table: str, password: str) -> dict[str, int]:
            if switch.exists() and next(numbers) % 4 < 2:
                raise OSError(f"no such table: {table}")
            return {"cents": 7}

        @app.post("/entries")
        async def book() -> dict[str, int]:
            return insert("entries", "hunter2")

        @app.get("/entries/last")
        async def last() -> dict[str, int]:
            return insert("entries", "hunter2")
    """,
}
STACK = """Traceback (most recent call last):
  File "/srv/quotes/rates.py", line 31, in load
    return table[currency]
KeyError: 'XAU'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/usr/lib/python3.11/asyncio/tasks.py", line 5, in run
    return await work()
  File "/srv/quotes/app.py", line 12, in quote
    rate = load(currency)
  File "/srv/quotes/rates.py", line 34, in load
    raise Unknown(currency) from error
  File "/srv/.venv/lib/python3.11/site-packages/rates/core.py", line 9, in fail
    raise
rates.Unknown: no rate for XAU
"""
LOCALS = """/srv/quotes/app.py:12 quote
    currency = 'XAU'
    token = [redacted]
/srv/quotes/rates.py:34 load
    currency = 'XAU'"""


def failed(trace: str, app: str, name: str, release: str, at: float, **told: str) -> dict[str, Any]:
    """A request that failed so many seconds ago, for reasons of its own."""
    event = {"exception.message": "no rate for XAU", **told}
    boom = {"name": "exception", "timeUnixNano": "0", "attributes": pairs(event)}
    resource = otlp(
        app,
        span(trace, 1, 0, name, (60 - at) * 1000, 20, kind=SERVER, error="no", events=[boom]),
    )
    resource["resource"]["attributes"] += pairs({"service.version": release})
    return resource


def known() -> list[dict[str, Any]]:
    """One with everything, of two releases, one that a team answers for nobody, and a problem."""
    told = {"exception.type": "rates.Unknown", "exception.stacktrace": STACK}
    problem = {"http.response.status_code": "422", "error.type": "CurrencyUnknown"}
    answered = span("f" * 32, 1, 0, "GET /rates", 0, 5, kind=SERVER, attributes=problem)
    return [
        failed("a" * 32, "quotes", "GET /quotes", "5.0.1", 50, **told, **{"skerry.locals": LOCALS}),
        failed("b" * 32, "quotes", "GET /quotes", "5.0.2", 20, **told, **{"skerry.locals": LOCALS}),
        failed("c" * 32, "mail", "GET /sent", "", 40, **{"exception.type": "MailRefused"}),
        failed("d" * 32, "mail", "GET /spam", "", 40, **{"exception.type": "MailLost"}),
        otlp("quotes", answered),
    ]


class Tuition(Place):
    """The fleet of these pages."""

    @contextmanager
    def visited(self) -> Iterator[None]:
        """While people come in by the front door, again and again."""
        front, over = self.ps()["front"], threading.Event()

        def come() -> None:
            while not over.wait(0.03):
                for path in ("/", "/last"):
                    with suppress(urllib.error.HTTPError):
                        urllib.request.urlopen(front + path, timeout=PATIENCE).close()

        visitor = threading.Thread(target=come)
        visitor.start()
        try:
            yield
        finally:
            over.set()
            visitor.join()

    @property
    def switch(self) -> Path:
        return self.root / "ledger" / "broken"

    def incidents(self, **query: str) -> Any:
        words = "&".join(f"{name}={value}" for name, value in query.items())
        status, found = self.ask(f"/api/incidents?{words}")
        assert status == 200, found
        return found

    def id(self, type: str) -> str:
        return str(until(lambda: [one for one in self.incidents() if one["type"] == type])[0]["id"])


@pytest.fixture(scope="module")
def tuition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tuition]:
    root = tmp_path_factory.mktemp("tuition")
    for path, text in FILES.items():
        file = root / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(text))
    command(root, "up", "--detach", "--no-reload")
    try:
        status = json.loads(command(root, "ps", "--json"))
        made = Tuition(root, status["console"])
        yield made
    finally:
        command(root, "down")


@pytest.fixture
def hurt(tuition: Tuition) -> Tuition:
    """With a ledger that has failed, and an owner who has been told."""
    if not tuition.ask("/api/alerts")[1]["alerts"]:
        tuition.switch.touch()
        with tuition.visited():
            until(lambda: tuition.ask("/api/alerts")[1]["incidents"], "an alert")
            until(lambda: len(tuition.incidents()[0]["services"]) == 3)
    return tuition


@pytest.fixture
def posted(hurt: Tuition) -> Tuition:
    """With the incidents that are known."""
    tuition = hurt
    if not any(one["service"] == "quotes" for one in tuition.incidents()):
        url = f"{tuition.ps()['collector']}/v1/traces"
        assert fetch(url, "POST", {"resourceSpans": known()})[0] == 200
        until(lambda: len({one["service"] for one in tuition.incidents()} & {"quotes", "mail"}) > 1)
    return tuition


@pytest.fixture
def open_window(browser: Worker, tuition: Tuition) -> Iterator[Callable[..., Window]]:
    windows: list[Window] = []

    def opened(**options: Any) -> Window:
        size = {"viewport": {"width": 1440, "height": 900}}
        context = browser.browser.new_context(**size | options)
        windows.append(Window(context.new_page(), tuition))
        return windows[-1]

    yield lambda **options: browser.run(lambda: opened(**options))
    for window in windows:
        browser.run(window.page.context.close)
    for window in windows:
        assert window.faults == []
        assert window.elsewhere == []


@pytest.fixture
def window(open_window: Callable[..., Window]) -> Window:
    return open_window()


def titles(window: Window) -> list[str]:
    return list(window.page.locator("tr.row .title a").all_text_contents())


# -- from a failure to a page, live ----------------------------------------------------------


def test_an_app_that_fails_half_of_its_calls_is_one_incident_and_one_alert(
    open_window: Callable[..., Window], tuition: Tuition
) -> None:
    errors, alerts = open_window(), open_window()
    errors.go("#/errors")
    errors.see("Nothing is wrong")
    alerts.go("#/alerts")
    alerts.see("All promises are kept")
    with tuition.visited():
        time.sleep(2.0)
        tuition.switch.touch()
        errors.page.locator("tr.row", has_text="OSError").wait_for()
        card = alerts.page.locator("article", has_text="ledger breaks what it has promised")
        card.wait_for()
        card.get_by_role("link", name="portal", exact=True).wait_for()
        card.get_by_role("link", name="payments", exact=True).wait_for()
        # Two endpoints fail of it, in a chain of three apps: it is one thing all the same.
        row = errors.page.locator("tr.row")
        row.get_by_text("2 apps").wait_for()
        assert row.count() == 1
        assert "insert in ledger/app.py:12" in row.text_content()
        assert alerts.page.locator("article").count() == 1
        assert "books@example.org" in card.text_content()
        errors.page.locator("#nav a[href='#/errors'] .badge", has_text="1").wait_for()
        errors.page.locator("#nav a[href='#/alerts'] .badge.bad", has_text="1").wait_for()
        card.get_by_role("link", name="OSError").click()
        alerts.wait("location.hash.startsWith('#/errors/')")
        alerts.page.locator("a.notice", has_text="ledger breaks what it has promised").click()
        alerts.wait("location.hash.startsWith('#/alerts/ledger-')")
        alerts.page.locator("article h3", has_text="Who suffers: 2 apps").wait_for()
        found = json.loads(tuition.skerry("errors", "ls", "--json"))
    (incident,) = found
    assert incident["services"] == ["ledger", "payments", "portal"]
    assert {one["service"] for one in found} == {"ledger"}


def test_an_alert_that_is_over_keeps_its_address(window: Window, hurt: Tuition) -> None:
    (alert, *_) = hurt.ask("/api/alerts")[1]["alerts"]
    over = {**alert, "state": "resolved", "until": alert["since"] + 95, "summary": "resolved: x"}
    answer = {**hurt.ask("/api/alerts")[1], "alerts": [over]}
    event = f'event: feed\ndata: {{"name":"alerts","value":{json.dumps(answer)}}}\n\n'
    window.page.route(
        "**/api/live*",
        lambda route: route.fulfill(content_type="text/event-stream", body=event),
    )
    window.go("#/alerts")
    window.see("All promises are kept")
    window.page.keyboard.press("j")
    window.page.keyboard.press("Enter")
    window.wait(f"location.hash === '#/alerts/{alert['id']}'")
    assert "lasted 1m 35s" in window.page.locator("article").text_content()
    window.page.keyboard.press("Escape")
    window.wait("location.hash === '#/alerts'")
    window.go("#/alerts/nobody-7")
    window.see("This alert is not known any more")


# -- the list --------------------------------------------------------------------------------


def test_incidents_are_filtered_by_address(window: Window, posted: Tuition) -> None:
    window.go("#/errors")
    until(lambda: {"rates.Unknown", "MailRefused", "OSError"} <= set(titles(window)))
    window.page.get_by_label("App", exact=True).select_option("quotes")
    window.wait("location.hash === '#/errors?app=quotes'")
    until(lambda: titles(window) == ["rates.Unknown"])
    window.page.keyboard.press("p")
    until(lambda: sorted(titles(window)) == ["CurrencyUnknown", "rates.Unknown"])
    window.page.locator("tr.row", has_text="CurrencyUnknown").get_by_text("declared").wait_for()
    window.go("#/errors?q=books%40example.org")
    until(lambda: titles(window) == ["OSError"])
    window.go("#/errors?q=nothing+of+that")
    window.see("Nothing is like that")
    window.page.get_by_role("button", name="Clear the filters").click()
    until(lambda: len(titles(window)) >= 4)
    window.page.get_by_role("button", name="Count").click()
    window.wait("location.hash === '#/errors?sort=-count'")
    until(lambda: titles(window)[0] == "OSError")


def test_one_is_resolved_by_a_key_and_that_is_undone(window: Window, posted: Tuition) -> None:
    window.go("#/errors?app=mail")
    until(lambda: len(titles(window)) == 2)
    window.page.keyboard.press("j")
    first = titles(window)[0]
    window.page.locator("tr.chosen", has_text=first).wait_for()
    window.page.keyboard.press("r")
    window.see("1 incident resolved")
    until(lambda: titles(window) == [one for one in titles(window) if one != first])
    assert len(posted.incidents(service="mail", state="resolved")) == 1
    window.page.get_by_role("button", name="Undo").click()
    until(lambda: len(titles(window)) == 2)
    assert posted.incidents(service="mail", state="resolved") == []


def test_many_are_resolved_at_once_and_reopened(window: Window, posted: Tuition) -> None:
    window.go("#/errors?app=mail")
    until(lambda: len(titles(window)) == 2)
    window.page.get_by_label("Choose all").check()
    bulk = window.page.get_by_role("toolbar", name="Chosen incidents")
    bulk.get_by_text("2 incidents chosen").wait_for()
    bulk.get_by_role("button", name="Resolve by the next release").click()
    window.see("2 incidents resolved by the next release")
    window.see("Nothing is like that")
    window.page.get_by_role("tab", name=re.compile("^Resolved")).click()
    until(lambda: len(titles(window)) == 2)
    for key in "jxjx":
        window.page.keyboard.press(key)
    bulk.get_by_text("2 incidents chosen").wait_for()
    window.page.keyboard.press("r")
    window.see("2 incidents reopened")
    until(lambda: len(posted.incidents(service="mail")) == 2)


# -- one incident ----------------------------------------------------------------------------


def test_an_incident_tells_where_it_happened_and_with_what(window: Window, posted: Tuition) -> None:
    window.go(f"#/errors/{posted.id('rates.Unknown')}")
    window.see("no rate for XAU")
    heads = window.page.locator(".frames .head strong")
    # The innermost first; what is the libraries' is folded, what it was caused by comes after.
    assert heads.all_text_contents() == ["load", "quote", "load"]
    window.page.get_by_text("caused by:").wait_for()
    assert "raise Unknown(currency) from error" in window.page.locator(".code").text_content()
    window.page.get_by_role("button", name="1 frame of libraries").first.click()
    until(lambda: heads.all_text_contents() == ["fail", "load", "quote", "load"])
    window.page.locator(".frames .head", has_text="app.py:12").click()
    table = window.page.locator(".variables").nth(1)
    assert re.sub(r"\s+", "", table.text_content()) == "currency'XAU'tokenredacted"
    window.page.get_by_role("button", name="As printed").click()
    window.wait("location.hash.endsWith('raw=1')")
    assert window.page.get_by_label("Traceback").text_content().startswith("Traceback (most recent")


def test_an_incident_tells_since_when_and_leads_on(window: Window, posted: Tuition) -> None:
    window.go(f"#/errors/{posted.id('rates.Unknown')}")
    releases = window.page.locator(".releases li")
    releases.first.wait_for()
    assert [text[:5] for text in releases.all_text_contents()] == ["5.0.2", "5.0.1"]
    assert window.page.locator(".past rect").count() >= 1
    window.page.get_by_role("tab", name="Day").click()
    window.wait("location.hash.includes('span=day')")
    link = window.page.get_by_role("link", name="get /quotes").first
    assert link.get_attribute("href") == "#/endpoints/quotes/get%20%2Fquotes"
    window.page.get_by_role("link", name="b" * 32).click()
    window.wait(f"location.hash.startsWith('#/traces/{'b' * 32}')")
    window.page.go_back()
    window.see("no rate for XAU")
    window.page.keyboard.press("Escape")
    window.wait("location.hash.startsWith('#/errors?') || location.hash === '#/errors'")


def test_whom_it_hurts_is_told_worst_first(window: Window, hurt: Tuition) -> None:
    window.go(f"#/errors/{hurt.id('OSError')}")
    apps = window.page.locator(".tree-of > li .bar-of strong")
    apps.first.wait_for()
    assert apps.all_text_contents()[0] == "ledger"
    assert sorted(apps.all_text_contents()) == ["ledger", "payments", "portal"]
    own = window.page.locator(".tree-of > .cause li a").all_text_contents()
    assert sorted(own) == ["get /entries/last", "post /entries"]
    password = window.page.locator(".variables tr", has_text="password")
    assert password.locator("td").text_content() == "redacted"


def test_it_is_copied_for_an_issue_tracker(
    open_window: Callable[..., Window], posted: Tuition
) -> None:
    window = open_window(permissions=["clipboard-read", "clipboard-write"])
    id = posted.id("rates.Unknown")
    window.go(f"#/errors/{id}")
    window.see("no rate for XAU")
    read = "navigator.clipboard.readText()"
    window.page.keyboard.press("c")
    until(lambda: window.page.evaluate(read).startswith("## rates.Unknown in quotes\n"))
    said = window.page.evaluate(read)
    assert "```pytb\nTraceback (most recent call last):" in said
    assert f"skerry errors show {id}" in said and f"/#/traces/{'b' * 32})" in said
    window.page.get_by_role("button", name="JSON").click()
    until(lambda: window.page.evaluate(read).startswith("{"))
    assert json.loads(window.page.evaluate(read))["id"] == id
    window.page.get_by_role("button", name="text", exact=True).click()
    until(lambda: window.page.evaluate(read).startswith("quotes: rates.Unknown: no rate for XAU\n"))


def test_one_that_is_not_known(window: Window) -> None:
    window.go("#/errors/nothing")
    window.see("This incident is not known")
    window.page.get_by_role("link", name="All errors").click()
    window.wait("location.hash === '#/errors'")


# -- every view ------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_can_be_read_on_a_desk_and_on_a_telephone(
    open_window: Callable[..., Window], posted: Tuition, scheme: str
) -> None:
    (alert, *_) = posted.ask("/api/alerts")[1]["alerts"]
    wide = open_window(color_scheme=scheme)
    narrow = open_window(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    views = {
        "#/errors?problems=1": "tr.row",
        "#/errors?state=resolved": ".empty",
        f"#/errors/{posted.id('rates.Unknown')}": ".frames",
        f"#/errors/{posted.id('OSError')}": ".frames",
        "#/alerts": "article",
        f"#/alerts/{alert['id']}": "article",
    }
    width = "document.documentElement.scrollWidth"
    for hash, there in views.items():
        for window in (wide, narrow):
            window.go(hash)
            window.page.locator(there).first.wait_for()
        until(lambda: narrow.page.evaluate(width) <= 390)
        assert wide.page.evaluate(CONTRAST) == []
        nameless = wide.page.evaluate(
            """() => [...document.querySelectorAll('button, a[href], input, select')]
            .filter((el) => el.checkVisibility() && !el.textContent.trim() && !el.ariaLabel
              && !el.labels?.length).map((el) => el.outerHTML)"""
        )
        assert nameless == []
