"""The map, of a real fleet with real traffic, in a real browser; and what the verb prints of it."""

from __future__ import annotations

import json
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from .conftest import PATIENCE, Place, Worker, command, until
from .test_browser import CONTRAST, Window

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FILES = {
    "fleet.toml": """
        [fleet]
        name = "atlas"

        [front]
        routes = { "/" = "portal" }

        [apps.portal]
        needs = ["shop"]
        owner = "ann@example.org"
        team = "sales"

        [apps.shop]
        needs = ["bank", "vault"]

        [apps.bank]

        [apps.vault]
    """,
    "portal/app.py": """
        from skerry import App

        app = App("portal")
        shop, bank = app.client("shop"), app.client("bank")

        @app.get("/")
        async def page() -> dict[str, int]:
            await shop.order()
            return await bank.rate()
    """,
    "shop/app.py": """
        from msgspec import Struct
        from skerry import App, Bus, event

        app = App("shop")
        bank = app.client("bank")

        @event("shop.ordered", key="id")
        class Ordered(Struct):
            id: str

        app.publishes(Ordered)

        @app.get("/order")
        async def order(bus: Bus) -> dict[str, int]:
            await bus.publish(Ordered("o-1"))
            return await bank.balance()
    """,
    "bank/app.py": """
        from pathlib import Path
        from msgspec import Struct
        from skerry import App, event

        app = App("bank")

        @event("shop.ordered", key="id")
        class Ordered(Struct):
            id: str

        @app.on(Ordered)
        async def book(ordered: Ordered) -> None:
            pass

        @app.get("/balance")
        async def balance() -> dict[str, int]:
            if Path(__file__).with_name("broken").exists():
                raise OSError("the book is locked")
            return {"cents": 1234}

        @app.get("/rate")
        async def rate() -> dict[str, int]:
            return {"euro": 2}
    """,
    "vault/app.py": """
        from skerry import App

        app = App("vault")
    """,
}


class Atlas(Place):
    """The fleet of this page."""

    def visit(self, times: int = 5) -> None:
        """People come in by the front door."""
        front = self.ps()["front"]
        for _ in range(times):
            with suppress(urllib.error.HTTPError):
                urllib.request.urlopen(front, timeout=PATIENCE).close()

    def map(self, minutes: int = 5) -> Any:
        status, found = self.ask(f"/api/map?minutes={minutes}")
        assert status == 200, found
        return found

    def node(self, id: str) -> Any:
        return next(node for node in self.map()["nodes"] if node["id"] == id)


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Atlas]:
    root = tmp_path_factory.mktemp("atlas")
    for path, text in FILES.items():
        file = root / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(text))
    try:
        command(root, "up", "--detach", "--no-reload")
        made = Atlas(root, json.loads(command(root, "ps", "--json"))["console"])
        made.visit()
        until(lambda: any(edge["messaging"] for edge in made.map()["edges"]), "an event")
        until(lambda: made.node("bank")["count"] >= 15, "counting")
        yield made
    finally:
        command(root, "down")


@pytest.fixture
def open_map(browser: Worker, atlas: Atlas) -> Iterator[Callable[..., Window]]:
    windows: list[Window] = []

    def opened(hash: str, **options: Any) -> Window:
        size = {"viewport": {"width": 1440, "height": 900}}
        windows.append(Window(browser.browser.new_context(**size | options).new_page(), atlas))
        windows[-1].go(hash)
        windows[-1].page.locator("[data-node=bank]").wait_for()
        return windows[-1]

    yield lambda hash, **options: browser.run(lambda: opened(hash, **options))
    for window in windows:
        browser.run(window.page.context.close)
    for window in windows:
        assert window.faults == []
        assert window.elsewhere == []


def classes(window: Window, selector: str) -> set[str]:
    return set(window.page.locator(selector).get_attribute("class").split())


def edge(caller: str, callee: str, kind: str = "calls") -> str:
    return f"[data-edge='{caller} {callee} {kind}']"


# -- what it says --------------------------------------------------------------------------------


def test_the_verb_prints_what_the_console_draws(atlas: Atlas) -> None:
    found, printed = atlas.map(), json.loads(atlas.skerry("map", "--json"))
    assert (atlas.ps()["routes"], atlas.ps()["systems"]) == ({"/": "portal"}, {})
    assert printed.keys() == found.keys()
    assert {node["id"]: node["kind"] for node in printed["nodes"]} == {
        "portal": "app", "shop": "app", "bank": "app", "vault": "app", "@outside": "front",
    }  # fmt: skip
    said = {(one["caller"], one["callee"], one["messaging"]): one for one in printed["edges"]}
    assert set(said) == {
        ("@outside", "portal", False), ("portal", "shop", False), ("portal", "bank", False),
        ("shop", "bank", False), ("shop", "bank", True), ("shop", "vault", False),
    }  # fmt: skip
    assert all(one.keys() == found["edges"][0].keys() for one in said.values())
    assert said["shop", "bank", False]["declared"] is True
    assert said["portal", "bank", False]["declared"] is False
    assert not said["shop", "vault", False]["observed"]
    assert said["@outside", "portal", False]["declared"] is True
    events = said["shop", "bank", True]
    assert [topic["topic"] for topic in events["topics"]] == ["shop.ordered"]
    assert events["count"] >= 5 and said["shop", "bank", False]["count"] >= 5
    text = atlas.skerry("map", "--since", "10m")
    assert "shop.ordered" in text and "yes, not seen" in text
    assert "portal calls bank without needing it" in text
    assert text.splitlines()[1].startswith("(outside)")


def test_a_collector_from_elsewhere_has_needs_from_the_file(atlas: Atlas) -> None:
    collector = atlas.ps()["collector"]
    found = json.loads(atlas.skerry("map", "--json", "--collector", collector))
    declared = {(one["caller"], one["callee"]): one["declared"] for one in found["edges"]}
    assert declared["portal", "shop"] is True and declared["portal", "bank"] is False
    assert found["fleet"] == "atlas"
    assert {node["state"] for node in found["nodes"]} == {""}


@pytest.mark.parametrize("minutes", ["0", "-1", "1441"])
def test_windows_that_nobody_has(atlas: Atlas, minutes: str) -> None:
    status, problem = atlas.ask(f"/api/map?minutes={minutes}")
    assert status == 400 and "1 to 1440 minutes" in problem["detail"]


def test_a_fleet_without_a_collector_says_so(place: Place) -> None:
    status, problem = place.ask("/api/map")
    assert status == 503 and "collector = true" in problem["detail"]


# -- what is seen --------------------------------------------------------------------------------


def test_everything_stands_on_the_map(open_map: Callable[..., Window]) -> None:
    window = open_map("#/map")
    nodes = window.page.locator("[data-node]")
    assert set(nodes.evaluate_all("all => all.map((one) => one.dataset.node)")) == {
        "portal", "shop", "bank", "vault", "@outside",
    }  # fmt: skip
    assert "events" in classes(window, edge("shop", "bank", "events"))
    assert "undeclared" in classes(window, edge("portal", "bank"))
    assert "unseen" in classes(window, edge("shop", "vault"))
    assert classes(window, edge("portal", "shop")) == {"wire"}
    labels = window.page.locator(".label").all_text_contents()
    assert any(label.endswith("ordered") and "/" in label for label in labels)
    window.see("without needing it")
    boxes = nodes.evaluate_all("all => all.map((one) => one.getBoundingClientRect().toJSON())")
    sea = window.page.locator(".canvas").bounding_box()
    for box in boxes:
        assert sea["x"] <= box["left"] and box["right"] <= sea["x"] + sea["width"]
        assert sea["y"] <= box["top"] and box["bottom"] <= sea["y"] + sea["height"]


def test_a_node_and_an_edge_tell_more(open_map: Callable[..., Window]) -> None:
    window = open_map("#/map/bank?window=15")
    panel = window.page.locator(".side-panel")
    panel.get_by_role("heading", name="bank").wait_for()
    links = panel.locator("a").evaluate_all("all => all.map((one) => one.getAttribute('href'))")
    wanted = {"#/endpoints/bank", "#/errors?app=bank", "#/fleet/bank", "#/logs/bank"}
    assert wanted <= set(links)
    assert any(link.startswith("#/traces/") for link in links)
    panel.get_by_role("link", name="shop shop.ordered").click()
    window.wait("location.hash === '#/map/shop/bank/events?window=15'")
    panel.get_by_text("Topics").wait_for()
    window.page.locator(f"{edge('portal', 'bank')} .hit").dispatch_event("click", {"bubbles": True})
    window.wait("location.hash === '#/map/portal/bank?window=15'")
    panel.get_by_text("without needing it").wait_for()
    window.page.keyboard.press("Escape")
    window.wait("location.hash === '#/map?window=15'")
    panel.wait_for(state="detached")
    window.page.locator("[data-node=shop]").click()
    window.wait("location.hash === '#/map/shop?window=15'")
    window.go("#/map/nobody")
    window.see("It is not on the map of this window.")


def test_without_a_collector_the_page_says_how_to_have_one(browser: Worker, place: Place) -> None:
    page = browser.browser.new_context().new_page()
    window = Window(page, place)
    window.go("#/map")
    window.see("`[observe] collector = true` gives it one")
    assert window.faults == []
    page.context.close()


def test_it_is_used_by_keys(open_map: Callable[..., Window]) -> None:
    window = open_map("#/map")
    press = window.page.keyboard.press
    chosen = "document.querySelector('.node.chosen')?.dataset.node"
    press("j")
    window.wait(f"{chosen} === '@outside'")
    press("ArrowRight")
    window.wait(f"{chosen} === 'portal'")
    press("ArrowRight")
    window.wait(f"{chosen} === 'shop'")
    press("k")
    window.wait(f"{chosen} === 'portal'")
    press("Enter")
    window.wait("location.hash === '#/map/portal'")
    window.see("ann@example.org")
    press("ArrowRight")
    window.wait("location.hash === '#/map/shop'")
    press("Escape")
    window.wait("location.hash === '#/map'")
    press("v")
    window.wait("location.hash === '#/map?events=off'")
    window.page.locator(edge("shop", "bank", "events")).wait_for(state="detached")
    press("v")
    window.wait("location.hash === '#/map'")
    press("w")
    window.wait("location.hash === '#/map?window=15'")
    press("/")
    window.page.keyboard.type("vau")
    window.page.locator("[data-node=bank].off").wait_for()
    press("Enter")
    window.wait("location.hash === '#/map/vault?window=15'")


def test_it_is_moved_and_sized(open_map: Callable[..., Window]) -> None:
    window = open_map("#/map")
    size = "document.querySelector('[data-node=shop] .shape').getBoundingClientRect().width"
    place = "document.querySelector('[data-node=shop] .shape').getBoundingClientRect().x"
    before, left = window.page.evaluate(size), window.page.evaluate(place)
    window.page.keyboard.press("+")
    window.wait(f"{size} > {before} * 1.2")
    window.page.keyboard.press("-")
    window.page.keyboard.press("-")
    window.wait(f"{size} < {before} * 0.9")
    window.page.keyboard.press("0")
    window.wait(f"Math.abs({size} - {before}) < 1")
    mouse = window.page.mouse
    mouse.move(700, 760)
    mouse.down()
    mouse.move(760, 790, steps=4)
    mouse.up()
    window.wait(f"Math.abs({place} - {left} - 60) < 2")
    assert window.hash() == "#/map"  # that was no click
    mouse.move(700, 500)
    mouse.wheel(0, -200)
    window.wait(f"{size} > {before} * 1.1")
    for text in ("Fit", "Tidy"):
        window.page.get_by_role("button", name=text).click()
    window.wait(f"Math.abs({place} - {left}) < 2")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read(open_map: Callable[..., Window], scheme: str) -> None:
    window = open_map("#/map/shop", color_scheme=scheme)
    window.page.locator(".side-panel").wait_for()
    assert window.page.evaluate(CONTRAST) == []
    nameless = """() => [...document.querySelectorAll('button, a[href], input, [role=button]')]
      .filter((el) => el.checkVisibility() && !el.textContent.trim() && !el.ariaLabel
        && !el.labels?.length).map((el) => el.outerHTML)"""
    assert window.page.evaluate(nameless) == []


def test_it_fits_a_telephone(open_map: Callable[..., Window]) -> None:
    window = open_map("#/map/bank", viewport={"width": 390, "height": 844}, has_touch=True)
    window.page.locator(".side-panel").wait_for()
    assert window.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert window.page.evaluate("document.querySelector('main').scrollWidth") <= 390


def test_a_cause_is_red_and_its_victims_are_not(
    atlas: Atlas, open_map: Callable[..., Window]
) -> None:
    """Nothing is reloaded: the page sees it happen. Last, because it does not go away again."""
    window = open_map("#/map")
    page = window.page
    stood = {name: page.locator(f"[data-node={name}]").get_attribute("transform") for name in NAMES}
    (atlas.root / "bank" / "broken").touch()
    began = time.monotonic()
    atlas.visit()
    page.locator("[data-node=bank].bad").wait_for()
    print(f"red after {time.monotonic() - began:.1f} s")
    page.locator(f"{edge('shop', 'bank')}.bad").wait_for()
    page.locator("[data-node=shop].warn").wait_for()
    page.locator("[data-node=portal].warn").wait_for()
    page.locator(f"{edge('portal', 'shop')}.warn").wait_for()
    assert "bad" not in classes(window, edge("shop", "bank", "events"))
    assert {
        name: page.locator(f"[data-node={name}]").get_attribute("transform") for name in NAMES
    } == stood
    page.keyboard.press("x")
    window.wait("location.hash === '#/map/bank'")
    window.see("the book is locked")
    troubles = page.locator(".troubles a").get_attribute("href")
    assert troubles.startswith("#/errors/")
    health = {node["id"]: node["health"] for node in atlas.map()["nodes"] if node["health"]}
    assert health == {"bank": "cause", "shop": "victim", "portal": "victim"}
    text = atlas.skerry("map")
    assert "failures are born in bank" in text and "OSError in bank/app.py balance" in text
    assert "shop fails for others' sake" in text


NAMES = ("portal", "shop", "bank", "vault")
