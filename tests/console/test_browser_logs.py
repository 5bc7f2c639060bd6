"""Logs in a real browser: what lines of JSON say, of one trace, and by level."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .conftest import Place, Worker, command, fetch, until
from .test_browser import CONTRAST, Window

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FILES = {
    "fleet.toml": """
        [fleet]
        name = "moorings"

        [apps.quotes]
        [apps.old]
        command = "python3 -u main.py"
        http = false
    """,
    "quotes/app.py": """
        import logging
        from skerry import App

        app = App("quotes")
        log = logging.getLogger("rates")

        @app.get("/quotes/{pay_in}")
        async def quote(pay_in: str) -> dict[str, str]:
            log.info("quoted", extra={"pay_in": pay_in, "token": "t"})
            if pay_in == "krw":
                log.warning("the rate is old", extra={"age": 312})
            if pay_in == "gold":
                try:
                    raise LookupError("no rate of gold")
                except LookupError:
                    log.exception("not quoted\\nat all")
            return {}
    """,
    "old/main.py": """
        import time

        print('{"level": 50, "msg": "no disk", "free": 0}')
        print("<b>plain</b>")
        time.sleep(1000)
    """,
}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def moorings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("moorings")
    for path, text in FILES.items():
        file = root / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(text))
    command(root, "up", "--detach", "--no-reload")
    try:
        made = Place(root, command(root, "console").strip())
        quotes = made.address("quotes")
        parent = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        for pay_in in ("eur", "krw", "gold"):
            headers = parent if pay_in == "gold" else {}
            assert fetch(f"{quotes}/quotes/{pay_in}", headers=headers)[0] == 200
        until(lambda: "not quoted" in command(root, "logs"), "logging")
        yield made
    finally:
        command(root, "down")


@pytest.fixture
def open_window(moorings: Place, browser: Worker) -> Iterator[Callable[..., Window]]:
    contexts = []

    def opened(**options: Any) -> Window:
        context = browser.browser.new_context(**{"color_scheme": "light", **options})
        contexts.append(context)
        return Window(context.new_page(), moorings)

    windows: list[Window] = []

    def noted(**options: Any) -> Window:
        windows.append(opened(**options))
        return windows[-1]

    yield noted
    for context in contexts:
        browser.run(context.close)
    for window in windows:
        assert window.faults == [] and window.elsewhere == []


def row(window: Window, text: str) -> Any:
    return window.page.locator(".port .log").filter(has_text=text).first


def test_lines_say_level_fields_and_trace(
    open_window: Callable[..., Window], browser: Worker
) -> None:
    window = open_window(viewport={"width": 1280, "height": 800})
    window.go("#/logs")
    row(window, "the rate is old").wait_for()
    assert "warn" in row(window, "the rate is old").get_attribute("class")
    assert "age=312" in row(window, "the rate is old").inner_text()
    assert "token=[redacted]" in row(window, "quoted").inner_text()
    failed = row(window, "not quoted")
    assert "not quoted ↵ at all" in failed.inner_text()
    assert "LookupError: no rate of gold" in failed.inner_text()
    assert failed.bounding_box()["height"] == 20
    assert row(window, "no disk").get_attribute("class").split()[1] == "bad"
    assert "<b>plain</b>" in row(window, "plain").inner_text()
    failed.locator(".of-trace").click()
    window.wait(f"location.hash.startsWith('#/traces/{TRACE}')")


def test_all_that_a_line_says(open_window: Callable[..., Window], browser: Worker) -> None:
    window = open_window(viewport={"width": 1280, "height": 800})
    window.go("#/logs")
    row(window, "not quoted").locator("code").click()
    shown = window.page.get_by_label("The line")
    shown.wait_for()
    assert "raise LookupError" in shown.inner_text()
    assert TRACE in shown.inner_text()
    window.page.keyboard.press("k")
    window.wait("document.querySelectorAll('.log.chosen').length === 1")
    window.wait("!document.querySelector('.inspector .stack-lines')")
    window.page.keyboard.press("j")
    shown.get_by_text("raise LookupError").wait_for()
    window.page.keyboard.press("Escape")
    shown.wait_for(state="detached")
    row(window, "not quoted").locator("code").click()
    shown.get_by_text("all its lines").click()
    window.wait("location.hash.includes('trace=')")
    window.wait("document.querySelectorAll('.port .log').length === 2")


def test_of_one_trace_and_by_level(open_window: Callable[..., Window], browser: Worker) -> None:
    window = open_window(viewport={"width": 1280, "height": 800})
    window.go(f"#/logs?trace={TRACE}")
    window.see("What was logged in trace")
    window.wait("document.querySelectorAll('.port .log').length === 2")
    window.page.get_by_role("button", name="All lines").click()
    row(window, "plain").wait_for()
    window.page.get_by_label("Level").select_option("error")
    window.wait("document.querySelectorAll('.port .log').length === 2")  # one is not ours
    assert row(window, "no disk").is_visible()
    window.page.get_by_label("Level").select_option("")
    row(window, "plain").wait_for()
    window.page.locator("#filter").fill("age=312")
    window.wait("document.querySelectorAll('.port .log').length === 1")
    window.page.locator("#filter").fill(TRACE)  # an id that is pasted
    window.see("What was logged in trace")
    window.wait("document.querySelectorAll('.port .log').length === 2")
    window.go("#/logs?trace=" + "1" * 32)
    window.see("No such line")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_and_readable(
    scheme: str, open_window: Callable[..., Window], browser: Worker
) -> None:
    window = open_window(viewport={"width": 390, "height": 800}, color_scheme=scheme)
    window.go(f"#/logs?trace={TRACE}")
    row(window, "not quoted").locator("code").click()
    window.page.get_by_label("The line").wait_for()
    assert window.page.evaluate("document.documentElement.scrollWidth") == 390
    assert window.page.evaluate(CONTRAST) == []
