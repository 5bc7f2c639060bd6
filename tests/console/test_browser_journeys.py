"""Journeys in a real browser: of a fleet with a probe, while they run, and of one without."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .conftest import Place, Worker, command, until
from .test_browser import CONTRAST, Window

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FILES = {
    "fleet.toml": """
        [fleet]
        name = "voyages"

        [front]
        routes = { "/" = "portal" }

        [apps.portal]
        needs = ["bank"]

        [apps.bank]

        [journeys]
        probe = true
        owner = "qa@example.org"
        objectives = [{ availability = 90 }, { journey = "looks", latency = "30s" }]
    """,
    "portal/app.py": """
        from skerry import App, html
        from skerry.core.wire import Response

        app = App("portal")
        bank = app.client("bank")

        @app.get("/", media_type="text/html")
        async def page() -> Response:
            said = await bank.rate()
            return html(f"<title>Portal</title><h1>Rate {said['rate']}</h1>")
    """,
    "bank/app.py": """
        from skerry import App

        app = App("bank")

        @app.get("/rate")
        async def rate() -> dict[str, int]:
            return {"rate": 7}
    """,
    "journeys/looks.py": """
        from pathlib import Path
        from playwright.async_api import Page
        from skerry import DynamicClient, Http, Run, eventually, journey, step

        ROOT = Path(__file__).parents[1]

        @journey(every="1s", owner="ann@example.org")
        async def looks(http: Http) -> None:
            '''Somebody looks at the rate.'''
            with step("open the page"):
                page = (await http.get("/")).ok()
                with step("read it"):
                    assert "Rate 7" in page.text

        @journey
        async def errs(bank: DynamicClient) -> None:
            '''The rate is not what it should be.'''
            with step("ask"):
                said = await bank.rate()
            with step("compare"):
                assert said["rate"] == 8

        @journey(within=60)
        async def waits() -> None:
            '''Waits to be let through.'''
            with step("come to the gate"):
                pass
            with step("stand before the gate"):
                await eventually((ROOT / "gate").exists, within=60)

        @journey
        async def browses(page: Page, run: Run) -> None:
            '''Somebody looks with a browser.'''
            with step("open"):
                await page.goto("/")
                await run.screenshot("the rate")
    """,
}


@pytest.fixture(scope="module")
def voyages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    pytest.importorskip("playwright.async_api", reason="no Playwright: pip install playwright")
    root = tmp_path_factory.mktemp("voyages")
    for path, text in FILES.items():
        file = root / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(text))
    try:
        command(root, "up", "--detach", "--no-reload")
        made = Place(root, json.loads(command(root, "ps", "--json"))["console"])
        until(lambda: journey(made, "looks")["runs"] >= 2, "running")
        yield made
    finally:
        command(root, "down")


def journey(place: Place, name: str) -> Any:
    status, found = place.ask("/api/journeys")
    assert status == 200, found
    assert found["probe"] == "ready", found
    return next(one for one in found["journeys"] if one["name"] == name)


@pytest.fixture
def open_page(browser: Worker, voyages: Place) -> Iterator[Callable[..., Window]]:
    windows: list[Window] = []

    def opened(hash: str, **options: Any) -> Window:
        size = {"viewport": {"width": 1440, "height": 900}}
        windows.append(Window(browser.browser.new_context(**size | options).new_page(), voyages))
        windows[-1].go(hash)
        windows[-1].page.locator("main h1").wait_for()
        return windows[-1]

    yield lambda hash, **options: browser.run(lambda: opened(hash, **options))
    for window in windows:
        browser.run(window.page.context.close)
    for window in windows:
        assert window.faults == []
        assert window.elsewhere == []


# -- what it says --------------------------------------------------------------------------------


def test_the_verbs_print_what_the_console_shows(voyages: Place) -> None:
    shown = journey(voyages, "errs")
    printed = {one["name"]: one for one in json.loads(voyages.skerry("journey", "ls", "--json"))}
    assert shown.keys() - printed["errs"].keys() == {"crossed", "promises", "alert"}
    status, run = voyages.ask("/api/journeys/errs/runs", "POST")
    assert (status, run["ok"]) == (201, False)
    assert json.loads(voyages.skerry("journey", "runs", "errs", "-n", "1", "--json")) == [run]
    assert voyages.ask(f"/api/journeys/errs/runs/{run['run']}") == (200, run)
    assert voyages.ask("/api/journeys/errs/runs?limit=1")[1] == [run]
    assert voyages.ask("/api/journeys/nothing/runs", "POST")[0] == 404
    promised = journey(voyages, "looks")["promises"]
    assert [(one["measure"], one["latency"]) for one in promised] == [("latency", 30.0)]
    until(lambda: journey(voyages, "looks")["crossed"] == ["portal", "bank"], "a trace")


def test_a_fleet_without_journeys_says_so(place: Place) -> None:
    assert place.ask("/api/journeys") == (200, {"probe": "off", "detail": "", "journeys": []})
    status, problem = place.ask("/api/journeys/pay/runs", "POST")
    assert status == 503 and "[journeys] probe = true" in problem["detail"]


# -- what is seen --------------------------------------------------------------------------------


def test_all_of_them_and_one_is_run(open_page: Callable[..., Window], voyages: Place) -> None:
    window = open_page("#/journeys")
    row = window.page.locator("tr[data-row=looks]")
    row.get_by_text("passes").wait_for()
    row.locator(".crossed .tag", has_text="bank").wait_for()
    assert row.locator(".strip a.good").count() >= 2
    assert "every 1s" in row.text_content() and "ann@example.org" in row.text_content()
    assert "qa@example.org" in window.page.locator("tr[data-row=waits]").text_content()
    window.page.get_by_role("button", name="Run errs now").click()
    window.see("errs fails at “compare”")
    errs = window.page.locator("tr[data-row=errs]")
    errs.get_by_text("fails").wait_for()
    window.page.locator("#nav a[href='#/journeys'] .badge.bad").wait_for()
    window.page.get_by_role("button", name="Failing").click()
    row.wait_for(state="detached")
    window.page.evaluate("document.activeElement.blur()")  # Enter would press the button again
    window.page.keyboard.press("j")
    window.page.keyboard.press("Enter")
    window.wait("location.hash === '#/journeys/errs'")
    window.see("Leads through")


def test_a_failure_is_explained(open_page: Callable[..., Window], voyages: Place) -> None:
    _, first = voyages.ask("/api/journeys/errs/runs", "POST")
    _, second = voyages.ask("/api/journeys/errs/runs", "POST")
    window = open_page(f"#/journeys/errs/{first['run']}")
    failure = window.page.locator(".failure")
    failure.wait_for()
    assert 'assert said["rate"] == 8' in failure.text_content()
    assert failure.locator(".values li").all_text_contents() == ['said["rate"] is 7']
    assert "looks.py:" in failure.text_content()
    steps = window.page.locator(".run .steps li")
    assert [one.get_attribute("class").split()[0] for one in steps.all()] == ["ok", "failed"]
    assert window.page.get_by_role("link", name="Trace", exact=True).get_attribute("href") == (
        f"#/traces/{first['trace']}"
    )
    window.page.keyboard.press("k")
    window.wait(f"location.hash === '#/journeys/errs/{second['run']}'")
    window.page.keyboard.press("Escape")
    window.wait("location.hash === '#/journeys'")


def test_steps_are_seen_as_they_go(open_page: Callable[..., Window], voyages: Place) -> None:
    window = open_page("#/journeys/waits")
    window.page.get_by_role("button", name="Run now").click()
    live = window.page.locator(".run.live")
    live.locator("li.open", has_text="stand before the gate").wait_for()
    assert live.locator("li.ok", has_text="come to the gate").count() == 1
    assert voyages.ask("/api/journeys/waits/runs", "POST")[0] == 409
    (voyages.root / "gate").touch()
    window.see("waits passes")
    live.wait_for(state="detached")
    window.page.locator("h2", has_text="Last run").first.wait_for()
    assert window.page.locator(".run .steps li.ok").count() == 2


def test_a_browsers_pictures(open_page: Callable[..., Window], voyages: Place) -> None:
    _, run = voyages.ask("/api/journeys/browses/runs", "POST")
    assert run["ok"], run
    window = open_page("#/journeys/browses")
    window.page.locator("figure", has_text="the rate in “open”").wait_for()
    window.wait("document.querySelector('figure img')?.naturalWidth > 0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("hash", ["#/journeys", "#/journeys/errs"])
def test_it_can_be_read_and_fits(
    open_page: Callable[..., Window], voyages: Place, hash: str, scheme: str
) -> None:
    voyages.ask("/api/journeys/errs/runs", "POST")
    window = open_page(hash, color_scheme=scheme, viewport={"width": 390, "height": 844})
    window.page.locator(".strip a").first.wait_for()
    assert window.page.evaluate("document.documentElement.scrollWidth") <= 390
    main = "document.querySelector('main')"
    assert window.page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth")
    window.page.set_viewport_size({"width": 1440, "height": 900})
    window.wait(f"{main}.clientWidth > 1000")
    assert window.page.evaluate(CONTRAST) == []


def test_without_a_probe_it_says_how_to_have_one(
    open_page: Callable[..., Window], voyages: Place
) -> None:
    """Last: the fleet goes on without one."""
    window = open_page("#/journeys")
    window.page.locator("tr[data-row=looks]").get_by_text("passes").wait_for()
    command(voyages.root, "down")
    file = voyages.root / "fleet.toml"
    file.write_text(file.read_text().replace("probe = true", "probe = false"))
    command(voyages.root, "up", "--detach", "--no-reload")
    window.see("Nobody runs them by themselves")
    row = window.page.locator("tr[data-row=looks]")
    assert "ann@example.org" in row.text_content()
    assert "[journeys]" in window.page.locator("pre.block").text_content()
    window.faults.clear()  # the connection was lost for a while
