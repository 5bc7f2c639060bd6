"""The page Endpoints in a browser: the list, its filters, charts and promises of one of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import until
from .test_browser import Window, open_window, window
from .test_browser_broken import place
from .test_browser_traces import CONTRAST

__all__ = ["open_window", "place", "window"]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

LIST = "#/endpoints"
ONE = "#/endpoints/quotes/POST%20%2Fquotes"


def row(window: Window, app: str, name: str) -> str:
    found = window.page.locator(f"[data-row='{app} {name} SERVER']")
    found.wait_for()
    return str(found.inner_text())


def test_the_list_says_how_each_does(window: Window) -> None:
    window.go(LIST)
    post = window.page.locator("[data-row='quotes post /quotes SERVER']")
    for said in ("pricing", "1 incident", "pages"):
        post.locator("td", has_text=said).wait_for()
    assert 10 < float(post.locator("td.errors").inner_text().split()[0]) < 90
    assert "/min" in post.locator("td.rate").inner_text()
    assert "0 %" in row(window, "schools", "get /schools/{school_id}")
    assert window.page.locator(".spark, svg").count() > 3


def test_the_list_is_narrowed_by_address(window: Window) -> None:
    window.go(LIST)
    row(window, "schools", "get /schools/{school_id}")
    window.page.get_by_role("button", name="Failing").click()
    window.wait("location.hash.includes('only=failing')")
    window.page.locator("[data-row^='schools ']").first.wait_for(state="detached")
    row(window, "quotes", "post /quotes")
    window.go(f"{LIST}?app=portal")
    row(window, "portal", "post /schools/{school_id}")
    window.page.locator("[data-row^='quotes ']").first.wait_for(state="detached")
    window.page.keyboard.press("/")
    window.page.keyboard.type("no such thing")
    window.see("No endpoint is like that")
    window.page.get_by_role("button", name="Clear the filters").click()
    row(window, "quotes", "post /quotes")


def test_what_nobody_has_asked_for_is_in_contracts(window: Window) -> None:
    window.go(LIST)
    row(window, "quotes", "post /quotes")
    assert window.page.get_by_text("not asked", exact=True).count() == 0
    window.page.get_by_role("button", name="Not asked").click()
    window.page.locator("tr.silent", has_text="/trial-balance").wait_for()


def test_keys_lead_in_and_out(window: Window) -> None:
    window.go(f"{LIST}?sort=app")
    row(window, "quotes", "post /quotes")
    window.page.keyboard.press("j")
    chosen = window.page.locator("tr.chosen").get_attribute("data-row")
    assert chosen is not None
    window.page.keyboard.press("Enter")
    app = chosen.split()[0]
    window.wait(f"location.hash.startsWith('#/endpoints/{app}/')")
    window.page.keyboard.press("w")
    window.wait("location.hash.includes('since=6h')")
    window.page.keyboard.press("Escape")
    window.wait(f"location.hash === '#/endpoints/{app}?since=6h'")
    window.page.locator("tr.row").first.wait_for()
    window.page.keyboard.press("Escape")
    window.wait("location.hash === '#/endpoints?since=6h'")


def test_charts_promises_and_what_it_fails_of(window: Window) -> None:
    window.go(ONE)
    for title in ("Rate", "Errors", "Durations"):
        window.page.get_by_role("heading", name=title).first.wait_for()
    assert window.page.locator(".charts .bar.bad").count() > 0
    window.see("Lock today's rate for one payment.")  # of the contract
    window.see("99 % in 500 ms")
    window.see("RatesUnreadable")
    window.page.locator(".traces-of li").first.wait_for()


def test_the_crosshair_tells_and_leads_to_the_trace(window: Window) -> None:
    window.go(f"{ONE}?since=15m")
    window.page.locator(".charts .bar.bad:not([d=''])").first.wait_for()
    window.page.keyboard.press("End")
    window.page.locator(".tip").first.wait_for()
    for _ in range(8):  # the newest step may have begun after the last call
        window.page.keyboard.press("Enter")
        if window.hash().startswith("#/traces/"):
            break
        window.page.keyboard.press("ArrowLeft")
    window.wait("/^#.traces.[0-9a-f]{32}/.test(location.hash)")
    window.page.go_back()
    window.page.locator(".exemplar.failed").first.dispatch_event("click")
    window.wait("/^#.traces.[0-9a-f]{32}/.test(location.hash)")
    window.see("RatesUnreadable")


def test_a_call_is_tried_from_here(window: Window) -> None:
    window.go(ONE)
    window.page.get_by_role("link", name="Try a call").click()
    window.wait("location.hash.startsWith('#/try/quotes/')")
    window.see("create_quote")


def test_an_app_as_a_whole(window: Window) -> None:
    window.go("#/endpoints/portal")
    row(window, "portal", "post /schools/{school_id}")
    assert window.page.locator("[data-row^='quotes ']").count() == 0
    window.see("99.5 % answered")  # promised of all it answers
    window.page.locator(".charts .bar:not([d=''])").first.wait_for()


def test_one_that_nobody_knows(window: Window) -> None:
    window.go("#/endpoints/quotes/GET%20%2Fnothing")
    window.see("Nobody asked for it")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_at_every_width(open_window: Callable[..., Window], scheme: str) -> None:
    wide = open_window(color_scheme=scheme)
    narrow = open_window(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    width = "document.documentElement.scrollWidth"
    for hash, there in {LIST: "tr.row", "#/endpoints/quotes": "tr.row", ONE: ".promised"}.items():
        for each in (wide, narrow):
            each.go(hash)
            each.page.locator(there).first.wait_for()
            assert each.page.evaluate(CONTRAST) == []
        until(lambda: narrow.page.evaluate(width) <= 390)
        nameless = wide.page.evaluate(
            """() => [...document.querySelectorAll('button, a[href], input, select')]
            .filter((el) => el.checkVisibility() && !el.textContent.trim() && !el.ariaLabel
              && !el.labels?.length && !el.getAttribute('aria-label')).map((el) => el.outerHTML)"""
        )
        assert nameless == []
