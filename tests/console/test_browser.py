"""The pages in a real browser, with a real fleet behind them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from .conftest import PATIENCE, Place, Worker, fetch, until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Window:
    """A tab of the browser, which keeps what went wrong in it.

    Attributes:
        faults: errors on its console, and of its scripts.
        elsewhere: requests that would have left this machine.
    """

    def __init__(self, page: Any, place: Place) -> None:
        self.page = page
        self.url = place.url
        self.faults: list[str] = []
        self.elsewhere: list[str] = []
        page.set_default_timeout(PATIENCE * 1000)
        page.on(
            "console",
            lambda said: self._said(said.type, f"{said.text} ({said.location.get('url')})"),
        )
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.route("**/*", self._route)

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.faults.append(text)

    def _route(self, route: Any) -> None:
        if urlsplit(route.request.url).netloc == urlsplit(self.url).netloc:
            route.continue_()
        else:
            self.elsewhere.append(route.request.url)
            route.abort()

    def go(self, hash: str) -> None:
        self.page.goto(f"{self.url}/{hash}")

    def see(self, text: str) -> Any:
        """The first element with this text, once it can be seen."""
        found = self.page.get_by_text(text).first
        found.wait_for()
        return found

    def hash(self) -> str:
        return str(self.page.evaluate("location.hash"))

    def wait(self, expression: str) -> None:
        """Until this is true in the page, whose policy forbids what Playwright would do for it."""
        until(lambda: self.page.evaluate(expression), expression)


@pytest.fixture
def open_window(browser: Worker, place: Place) -> Iterator[Callable[..., Window]]:
    windows: list[Window] = []

    def opened(**options: Any) -> Window:
        size = {"viewport": {"width": 1440, "height": 900}}
        context = browser.browser.new_context(**size | options)
        windows.append(Window(context.new_page(), place))
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


# -- the shell -------------------------------------------------------------------------------


def test_the_shell_names_the_fleet_and_is_live(window: Window) -> None:
    window.go("")
    window.see("harbour")
    window.page.get_by_role("status").get_by_text("Live").wait_for()
    pages = window.page.locator("#nav li a span:nth-child(2)").all_text_contents()
    assert [name for name in pages if name in ("Fleet", "Logs", "Bus", "Stacks", "Try")] == [
        "Fleet",
        "Logs",
        "Bus",
        "Stacks",
        "Try",
    ]
    window.wait("document.title.includes('harbour')")
    dead = window.page.locator("#nav a[href='#/bus'] .badge")
    dead.wait_for()
    assert int(dead.text_content()) >= 5


def test_keys_lead_everywhere(window: Window) -> None:
    window.go("#/fleet")
    window.see("shop")
    for key, hash in {
        "b": "#/bus",
        "l": "#/logs",
        "s": "#/stacks",
        "y": "#/try",
        "f": "#/fleet",
    }.items():
        window.page.keyboard.press("g")
        window.page.keyboard.press(key)
        window.wait(f"location.hash === '{hash}'")
    window.page.keyboard.press("?")
    window.page.get_by_role("dialog", name="Keyboard shortcuts").wait_for()
    window.page.keyboard.press("Escape")
    window.page.get_by_role("dialog").wait_for(state="detached")
    window.page.keyboard.press("/")
    window.page.keyboard.type("sho")
    window.wait("location.hash.includes('q=sho')")
    window.page.locator("tr[data-row=bank]").wait_for(state="detached")
    window.page.keyboard.press("Escape")
    window.page.locator("tr[data-row=bank]").wait_for()


def test_the_palette_jumps_to_apps_pages_and_traces(window: Window) -> None:
    window.go("#/fleet")
    window.see("shop")
    window.page.keyboard.press("Control+k")
    window.page.keyboard.type("bnk")
    window.page.keyboard.press("Enter")
    window.wait("location.hash === '#/fleet/bank'")
    window.page.keyboard.press("Control+k")
    window.page.keyboard.type("stacks of shop")
    window.page.keyboard.press("Enter")
    window.wait("location.hash === '#/stacks/shop'")
    trace = "0af7651916cd43dd8448eb211c80319c"
    window.page.keyboard.press("Control+k")
    window.page.keyboard.type(trace)
    window.page.keyboard.press("Enter")
    window.wait(f"location.hash === '#/traces/{trace}'")
    window.page.keyboard.press("Control+k")
    window.page.keyboard.press("Escape")
    window.page.get_by_role("dialog").wait_for(state="detached")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(open_window: Callable[..., Window], scheme: str) -> None:
    window = open_window(color_scheme=scheme)
    window.go("#/fleet")
    window.see("shop")
    background = "getComputedStyle(document.body).backgroundColor"
    as_system = window.page.evaluate(background)
    assert window.page.evaluate("document.documentElement.dataset.theme") == scheme
    window.page.locator("#theme").click()
    other = "dark" if scheme == "light" else "light"
    window.wait(f"document.documentElement.dataset.theme === '{other}'")
    assert window.page.evaluate(background) != as_system
    window.page.reload()
    window.see("shop")
    assert window.page.evaluate("document.documentElement.dataset.theme") == other
    window.page.keyboard.press("t")
    window.wait(f"document.documentElement.dataset.theme === '{scheme}'")


CONTRAST = """
() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const part = (v) => v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (el) => {
    for (let at = el; at; at = at.parentElement) {
      const found = rgba(getComputedStyle(at).backgroundColor);
      if (found[3] === 255) return found;
    }
    return [255, 255, 255, 255];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const el = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !el.checkVisibility({opacityProperty: true})) continue;
    const [a, b] = [light(rgba(getComputedStyle(el).color)), light(behind(el))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const text = walker.currentNode.data.trim().slice(0, 30);
    if (ratio < 4.5) poor.push(`${text}: ${ratio.toFixed(2)}`);
  }
  return [...new Set(poor)];
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("hash", "text"),
    [
        ("#/fleet/shop", "ann@example.org"),
        ("#/logs", "shop-1"),
        ("#/bus/shop.bill", "Unpayable"),
        ("#/stacks/shop?kind=client", "Once for each call"),
        ("#/try/shop/order", "Order goods."),
    ],
)
def test_text_can_be_read(
    open_window: Callable[..., Window], scheme: str, hash: str, text: str
) -> None:
    """WCAG AA: a contrast of 4.5 for text."""
    window = open_window(color_scheme=scheme)
    window.go(hash)
    window.see(text)
    assert window.page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("hash", ["#/fleet", "#/logs", "#/bus", "#/stacks", "#/try"])
def test_everything_has_a_name(window: Window, hash: str) -> None:
    window.go(hash)
    window.page.locator("main h1").wait_for()
    nameless = window.page.evaluate(
        """() => [...document.querySelectorAll('button, a[href], input, select, textarea')]
        .filter((el) => el.checkVisibility() && !el.textContent.trim() && !el.ariaLabel
          && !el.labels?.length && !el.getAttribute('aria-labelledby')).map((el) => el.outerHTML)"""
    )
    assert nameless == []


def test_it_fits_a_telephone(open_window: Callable[..., Window]) -> None:
    window = open_window(viewport={"width": 390, "height": 844})
    window.go("#/fleet")
    window.see("shop")
    assert window.page.evaluate("document.documentElement.scrollWidth") <= 390
    window.page.get_by_role("button", name="Menu").click()
    window.page.get_by_role("link", name="Stacks").click()
    window.wait("location.hash === '#/stacks'")
    window.see("breaker")


def test_an_unknown_page_says_so(window: Window) -> None:
    window.go("#/nowhere")
    window.see("There is no page")


def test_it_comes_back_when_the_connection_does(open_window: Callable[..., Window]) -> None:
    window = open_window()
    window.go("#/fleet")
    window.page.get_by_text("Live", exact=True).wait_for()
    window.page.context.set_offline(True)
    window.page.evaluate("dispatchEvent(new Event('x'))")
    window.page.route("**/api/live*", lambda route: route.abort())
    window.page.evaluate(
        "import('/static/live.js').then((live) => live.watch(['fleet', 'stacks']))"
    )
    window.page.get_by_text("Reconnecting").wait_for()
    window.page.context.set_offline(False)
    window.page.unroute("**/api/live*")
    window.page.get_by_text("Live", exact=True).wait_for()
    window.faults.clear()  # the browser says itself that the connection was refused


# -- pages -----------------------------------------------------------------------------------


def test_fleet(window: Window, place: Place) -> None:
    window.go("#/fleet")
    row = window.page.locator("tr[data-row=shop]")
    row.wait_for()
    assert "1.4.2" in row.text_content()
    assert "sales" in row.text_content()
    assert "2/2 ready" in window.page.locator("tr[data-row=bank]").text_content()
    row.click()
    window.wait("location.hash === '#/fleet/shop'")
    window.see("ann@example.org")
    window.page.locator(".tail .log").first.wait_for()  # its last lines
    fetch(f"{place.address('shop')}/orders/just-now")
    window.see("looked up just-now")
    window.page.keyboard.press("j")
    assert window.page.locator("tr.chosen").get_attribute("data-row")
    window.page.keyboard.press("Escape")
    window.wait("location.hash === '#/fleet'")
    window.page.get_by_role("button", name=re.compile("^Restarts")).click()
    window.wait("location.hash === '#/fleet?sort=-restarts'")


def test_an_update_moves_nothing(window: Window, place: Place) -> None:
    window.go("#/fleet/shop")
    window.see("ann@example.org")
    window.page.evaluate(
        """() => { window.row = document.querySelector('tr[data-row=shop]');
        document.querySelector('#filter').focus(); document.querySelector('main').scrollTop = 60;
        getSelection().selectAllChildren(document.querySelector('tr[data-row=bank] strong')); }"""
    )
    top = window.page.evaluate("document.querySelector('main').scrollTop")
    fetch(f"{place.address('shop')}/balance")
    before = window.page.locator(".stat").nth(1).text_content()
    for _ in range(200):
        fetch(f"{place.address('shop')}/orders/o-1")
    stats = window.page.locator(".stat")
    until(lambda: stats.nth(1).text_content() != before, "an update")
    assert window.page.evaluate("window.row === document.querySelector('tr[data-row=shop]')")
    assert window.page.evaluate("String(getSelection())") == "bank"
    assert window.page.evaluate("document.querySelector('main').scrollTop") == top
    assert window.page.evaluate("document.activeElement.id") == "filter"


def test_fleet_changes_ask_first(window: Window, place: Place) -> None:
    def ready() -> int:
        return int(next(app["ready"] for app in place.ps()["apps"] if app["app"] == "bank"))

    window.go("#/fleet")
    window.page.get_by_role("button", name="Stop bank").click()
    window.page.get_by_role("button", name="Cancel").click()
    assert ready() == 2
    window.page.get_by_role("button", name="Scale bank").click()
    window.page.get_by_label("Instances").fill("1")
    window.page.get_by_role("button", name="Scale", exact=True).click()
    window.see("bank: 1 of 1 ready")
    assert ready() == 1
    window.page.get_by_role("button", name="Stop bank").click()
    window.page.get_by_role("button", name="Stop", exact=True).click()
    window.page.get_by_role("button", name="Start bank", exact=True).click()
    window.see("bank: 2 of 2 ready")
    assert ready() == 2


def test_logs(window: Window, place: Place) -> None:
    window.go("#/logs/shop?q=looked")
    window.page.locator(".port .log").first.wait_for()
    fetch(f"{place.address('shop')}/orders/live-line")
    window.see("looked up live-line")
    window.page.keyboard.press("Space")
    fetch(f"{place.address('shop')}/orders/while-paused")
    window.page.get_by_text("1 new").wait_for()
    assert window.page.get_by_text("looked up while-paused").count() == 0
    window.page.keyboard.press("Space")
    window.see("looked up while-paused")
    window.page.locator("#filter").fill("/while-p.*d$/")
    window.page.get_by_text("looked up live-line").wait_for(state="detached")
    window.see("looked up while-paused")
    window.page.get_by_label("Of").select_option("bank")
    window.wait("location.hash.startsWith('#/logs/bank')")


def test_thousands_of_lines_are_few_elements(window: Window, place: Place) -> None:
    shop = place.address("shop")
    for number in range(600):
        fetch(f"{shop}/orders/n{number}")
    window.go("#/logs/shop")
    window.see("looked up n599")
    assert window.page.locator(".log").count() < 150
    window.page.keyboard.press("Home")
    window.page.get_by_text("looked up n599").wait_for(state="detached")


def test_bus(window: Window, place: Place) -> None:
    window.go("#/bus")
    window.page.locator("tr[data-row='shop.bill']").click()
    window.wait("location.hash === '#/bus/shop.bill'")
    window.see("nobody lends to bad-0")
    window.page.locator("#filter").fill("bad-3")
    window.page.get_by_text("nobody lends to bad-0").wait_for(state="detached")
    window.page.get_by_role("button", name=re.compile("nobody lends to bad-3")).click()
    window.wait("location.hash.includes('letter=')")
    window.page.get_by_role("tab", name="Stack").click()
    window.see("raise Unpayable")
    link = window.page.locator(".pairs a[href^='#/traces/']")
    assert re.fullmatch(r"#/traces/[0-9a-f]{32}", link.get_attribute("href"))
    window.page.get_by_role("tab", name="Body").click()
    window.page.get_by_role("button", name="Edit").click()
    body = window.page.get_by_label("Body", exact=True)
    body.fill("{")
    send = window.page.get_by_role("button", name="Redrive with this body")
    until(send.is_disabled, "a refusal")
    body.fill(json.dumps({"customer": "good", "total": 1}))
    until(send.is_enabled, "no refusal")
    send.click()
    window.page.get_by_role("button", name="Redrive", exact=True).last.click()
    window.see("1 letter redriven")

    def gone() -> bool:
        return bool(place.ask("/api/bus/queues/shop.bill/dead?where=key=bad-3")[1]["matching"] == 0)

    until(gone)


def test_bus_redrives_what_is_chosen(window: Window, place: Place) -> None:
    order = {"customer": "bad-chosen"}
    for _ in range(2):
        assert fetch(f"{place.address('shop')}/orders", "POST", order)[0] == 201
    window.go("#/bus/shop.bill?q=key%3Dbad-chosen")
    window.page.get_by_text("2 letters").wait_for()
    window.page.get_by_label(re.compile("2 letters")).check()
    window.page.get_by_role("button", name="Redrive 2 chosen").click()
    window.page.get_by_label("At most").fill("50/s")
    window.page.get_by_role("button", name="Redrive", exact=True).click()
    window.see("2 letters redriven")
    window.page.get_by_role("button", name="Purge").click()
    window.page.get_by_role("button", name="Cancel").click()
    assert place.ask("/api/bus/queues/shop.bill/dead")[1]["dead"] >= 2


def test_stacks(window: Window) -> None:
    window.go("#/stacks/shop")
    window.see("A request comes in")
    window.see("outermost, so that it sees every answer")
    window.page.get_by_role("tab", name="Calls to others 1").click()
    window.wait("location.hash.includes('kind=client')")
    window.see("retries left")
    connection = window.page.locator(".connections tbody tr").first
    connection.wait_for()
    assert "shop-1" in connection.text_content()
    assert "closed" in connection.text_content()
    assert window.page.get_by_text("nothing stands here").count() == 0
    window.page.keyboard.press("e")
    window.see("nothing stands here")
    window.page.locator("#filter").fill("ban")
    window.page.locator("li[data-row=shop]").wait_for(state="detached")
    window.go("#/stacks/plain")
    window.see("No stacks to show")


def test_try(window: Window) -> None:
    window.go("#/try/shop/order")
    window.see("They leave the same day.")
    window.page.get_by_label(re.compile("^customer")).fill("ann")
    window.page.get_by_label(re.compile("^count")).fill("3")
    window.page.get_by_label(re.compile("^express")).select_option("true")
    window.page.keyboard.press("Control+Enter")
    window.page.locator(".status").wait_for()
    assert window.page.locator(".status").text_content() == "201"
    assert json.loads(window.page.locator(".answer .json").text_content()) == {
        "id": "o-1",
        "total": 3,
    }
    trace = window.page.locator(".answer .trace a").get_attribute("href")
    assert re.fullmatch(r"#/traces/[0-9a-f]{32}", trace)
    window.page.get_by_role("tab", name=re.compile("Headers")).click()
    window.see("content-type")
    window.page.get_by_role("tab", name="JSON").click()
    body = window.page.get_by_label("Body", exact=True)
    assert json.loads(body.input_value())["count"] == 3
    body.fill('{"customer": "ann", "goods": "salt"}')
    window.page.get_by_role("button", name="Send").click()
    window.page.locator(".status[data-tone=warn]").wait_for()
    window.page.get_by_role("tab", name=re.compile("^Body")).last.click()
    window.see("no salt today")
    window.page.get_by_label(re.compile("^Filter")).fill("get_")
    window.page.locator("li[data-row=order]").wait_for(state="detached")
    window.page.locator("li[data-row=get_order] a").click()
    window.wait("location.hash.startsWith('#/try/shop/get_order')")
    window.page.get_by_label(re.compile("^id")).fill("")
    window.page.get_by_role("button", name="Send").click()
    window.see("id is required")


def test_a_view_is_a_link(open_window: Callable[..., Window]) -> None:
    first = open_window()
    first.go("#/bus/shop.bill?q=key%3Dbad-1")
    first.page.get_by_role("button", name=re.compile("bad-1")).first.click()
    first.wait("location.hash.includes('letter=')")
    second = open_window()
    second.go(first.hash())
    second.page.locator(".detail .why").wait_for()
    assert "nobody lends to bad-1" in second.page.locator(".detail .why").text_content()
    assert second.page.locator("#filter").input_value() == "key=bad-1"
