"""The page Traces in a real browser, on spans that are known: posted to a collector of its own."""

from __future__ import annotations

import json
import re
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .conftest import Place, Worker, command, fetch, until
from .test_browser import CONTRAST, Window

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

WHOLE, LARGE, TORN, CAUSE = "a1" * 16, "b2" * 16, "c3" * 16, "d4" * 16
SPANS = 10_000
STACK = """Traceback (most recent call last):
  File "/usr/lib/python3.11/asyncio/tasks.py", line 5, in run
    return await work()
  File "/srv/bank/ledger.py", line 34, in book
    raise Overdrawn(account)
bank.ledger.Overdrawn: account 7 has nothing left
"""

FILE = """
    [fleet]
    name = "harbour"

    [apps.shop]
"""
SHOP = """
    import logging

    from skerry import App

    app = App("shop")
    log = logging.getLogger("shop")

    @app.get("/hello")
    async def hello() -> str:
        log.warning("somebody said hello")
        return "hello"
"""


def otlp(app: str, *spans: dict[str, Any]) -> dict[str, Any]:
    named = {"service.name": app, "service.instance.id": f"{app}-1", "host.name": "rock"}
    return {"resource": {"attributes": pairs(named)}, "scopeSpans": [{"spans": spans}]}


def pairs(values: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def span(
    trace: str, id: int, parent: int, name: str, at: float, length: float, **more: Any
) -> dict[str, Any]:
    """One span; ``at`` and ``length`` in milliseconds, ``at`` since a minute ago."""
    begin = NOW + int(at * 1e6)
    found = {
        "traceId": trace,
        "spanId": f"{id:016x}",
        "name": name,
        "kind": more.pop("kind", 1),
        "startTimeUnixNano": str(begin),
        "endTimeUnixNano": str(begin + int(length * 1e6)),
        "attributes": pairs(more.pop("attributes", {})),
    }
    if parent:
        found["parentSpanId"] = f"{parent:016x}"
    if error := more.pop("error", ""):
        found["status"] = {"code": 2, "message": error}
    return found | more


NOW = time.time_ns() - 60 * 10**9
SERVER, CLIENT, CONSUMER = 2, 3, 5


def whole() -> list[dict[str, Any]]:
    """A call that was made twice, and failed in the end."""
    told = {
        "exception.type": "bank.ledger.Overdrawn",
        "exception.message": "account 7 has nothing left",
        "exception.stacktrace": STACK,
        "skerry.locals": "/srv/bank/ledger.py:34 book\n    account = 7",
    }
    boom = {"name": "exception", "timeUnixNano": str(NOW + 74 * 10**6), "attributes": pairs(told)}
    peer = {"peer.service": "bank"}
    return [
        otlp(
            "shop",
            span(WHOLE, 1, 0, "POST /orders", 0, 100, kind=SERVER, error="500"),
            span(WHOLE, 2, 1, "bank.pay", 5, 80),
            span(WHOLE, 3, 2, "POST pay", 6, 20, kind=CLIENT, attributes=peer, error="timeout"),
            span(WHOLE, 4, 2, "POST pay", 40, 40, kind=CLIENT, attributes=peer, error="500"),
        ),
        otlp(
            "bank",
            span(WHOLE, 5, 4, "POST /pay", 45, 30, kind=SERVER, events=[boom], error="Overdrawn"),
        ),
        otlp(
            "mail",
            span(
                CAUSE,
                9,
                0,
                "process orders.placed",
                150,
                7,
                kind=CONSUMER,
                links=[{"traceId": WHOLE, "spanId": f"{2:016x}"}],
            ),
        ),
    ]


def large() -> list[dict[str, Any]]:
    """As many spans as a trace is promised to be opened with, three deep."""
    spans = [span(LARGE, 1, 0, "GET /everything", 0, SPANS)]
    for n in range(2, SPANS + 1):
        parent = 1 if n % 100 == 2 else n - (n - 2) % 100
        error = "lost" if n == 7777 else ""
        spans.append(span(LARGE, n, parent, f"step {n}", n - 1, 0.9, error=error))
    return [otlp("shop", *spans)]


def torn() -> list[dict[str, Any]]:
    """One whose clocks do not agree, with a part that has lost its parent."""
    return [
        otlp("shop", span(TORN, 1, 0, "GET /torn", 0, 50), span(TORN, 2, 1, "ask", 1, 40, kind=3)),
        otlp(
            "bank",
            span(TORN, 3, 2, "GET /answer", -9000, 20, kind=SERVER),
            span(TORN, 5, 4, "left alone", 10, 5),
        ),
    ]


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A fleet with a collector that has these traces."""
    root = tmp_path_factory.mktemp("traced")
    for path, text in {"fleet.toml": FILE, "shop/app.py": SHOP}.items():
        file = root / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(text))
    command(root, "up", "--detach", "--no-reload")
    try:
        status = json.loads(command(root, "ps", "--json"))
        for resources in (whole(), large(), torn()):
            url = f"{status['collector']}/v1/traces"
            assert fetch(url, "POST", {"resourceSpans": resources})[0] == 200
        yield Place(root, status["console"])
    finally:
        command(root, "down")


@pytest.fixture
def open_window(browser: Worker, traced: Place) -> Iterator[Callable[..., Window]]:
    windows: list[Window] = []

    def opened(**options: Any) -> Window:
        size = {"viewport": {"width": 1440, "height": 900}}
        context = browser.browser.new_context(**size | options)
        windows.append(Window(context.new_page(), traced))
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


def listed(window: Window) -> list[str]:
    return list(window.page.locator("tr.row td.what a span").all_text_contents())


def shown(window: Window) -> list[str]:
    """The spans that are in sight, and what is told below them."""
    return list(window.page.locator(".line.span .name").all_text_contents())


# -- search ----------------------------------------------------------------------------------


def test_traces_are_listed_with_who_took_the_time(window: Window) -> None:
    window.go("#/traces")
    window.see("POST /orders".lower())
    window.page.locator(".scatter circle.bad").first.wait_for()
    row = window.page.locator(f"tr[data-row='{WHOLE}']")
    assert "100 ms" in row.text_content()
    assert "bank.ledger.Overdrawn: account 7 has nothing left" in row.text_content()
    parts = row.locator(".shares").get_attribute("title")
    assert re.fullmatch(r"shop \d\d %, bank \d\d %", parts)
    assert window.page.locator(f"tr[data-row='{TORN}']").get_by_text("in pieces").is_visible()


def test_filters_are_in_the_address(window: Window) -> None:
    window.go("#/traces")
    window.see("get /everything")
    window.page.get_by_label("App", exact=True).select_option("bank")
    window.wait("location.hash.includes('app=bank')")
    window.page.locator(f"tr[data-row='{LARGE}']").wait_for(state="detached")
    window.page.get_by_label("Operation").select_option("post /pay")
    until(lambda: listed(window) == ["post /orders"])
    window.page.reload()
    until(lambda: listed(window) == ["post /orders"])
    window.go("#/traces?min=5s")
    until(lambda: listed(window) == ["get /everything"])
    window.go("#/traces?q=host.name%3Drock")
    window.see("No trace is like that")
    window.page.get_by_role("button", name="Clear the filters").click()
    window.see("get /everything")
    window.page.keyboard.press("e")
    window.wait("location.hash === '#/traces?errors=1'")
    until(lambda: "get /torn" not in listed(window))
    window.go("#/traces?order=slowest&errors=1")
    until(lambda: listed(window) == ["get /everything", "post /orders"])


def test_an_id_that_is_pasted_leads_there(window: Window) -> None:
    window.go("#/traces")
    window.see("get /everything")
    window.page.keyboard.press("/")
    window.page.keyboard.insert_text(f"00-{WHOLE}-{'1' * 16}-01")
    window.wait(f"location.hash === '#/traces/{WHOLE}'")


def test_a_drag_over_the_dots_selects_a_time(window: Window) -> None:
    window.go("#/traces?window=1h")
    window.page.locator(".scatter circle").first.wait_for()
    box = window.page.locator(".scatter").bounding_box()
    y = box["y"] + 80
    window.page.mouse.move(box["x"] + 62, y)
    window.page.mouse.down()
    window.page.mouse.move(box["x"] + 300, y, steps=4)
    window.page.mouse.up()
    window.wait("/from=[0-9.]+&to=[0-9.]+/.test(location.hash)")
    window.see("No trace is like that")  # it was minutes before
    window.page.keyboard.press("Escape")
    window.see("get /everything")
    dot = window.page.locator(".scatter circle").first.bounding_box()
    window.page.mouse.click(dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2)
    window.wait("/^#.traces.[0-9a-f]{32}$/.test(location.hash)")


def test_new_traces_come_by_themselves(window: Window, traced: Place) -> None:
    window.go("#/traces?live=1&name=get+%2Fhello&app=shop")
    window.page.locator(".live[aria-pressed=true]").wait_for()
    before = len(listed(window))
    url = json.loads(traced.skerry("ps", "--json"))["instances"][0]["url"]
    assert fetch(f"{url}/hello")[0] == 200
    until(lambda: len(listed(window)) > before)


# -- waterfall -------------------------------------------------------------------------------


def test_a_trace_is_drawn_with_attempts_and_what_went_wrong(window: Window) -> None:
    window.go(f"#/traces/{WHOLE}")
    window.see("bank.ledger.Overdrawn")
    names = ["post /orders", "bank.pay", "→post pay", "→post pay", "post /pay"]
    until(lambda: shown(window) == names)
    assert window.page.get_by_text("2 attempts").is_visible()
    assert window.page.locator(".line .tag.info").all_text_contents()[1:] == ["1/2", "2/2"]
    # What is theirs is there, what is not is folded away.
    stack = window.page.get_by_label("Stack")
    assert 'File "/srv/bank/ledger.py", line 34, in book' in stack.text_content()
    assert "asyncio" not in stack.text_content()
    stack.get_by_role("button", name="1 frame of libraries").click()
    until(lambda: "asyncio" in stack.text_content())
    assert "account = 7" in window.page.get_by_label("Variables").text_content()
    assert window.page.locator(".lane .critical").count() > 3
    window.page.keyboard.press("c")
    until(lambda: window.page.locator(".lane .critical").count() == 0)


def test_keys_go_through_a_trace(window: Window) -> None:
    window.go(f"#/traces/{WHOLE}")
    window.see("bank.ledger.Overdrawn")
    for _ in range(2):
        window.page.keyboard.press("j")
    window.wait("location.hash.endsWith('span=0000000000000002')")
    window.page.keyboard.press("h")
    until(lambda: shown(window) == ["post /orders", "bank.pay"])
    window.page.keyboard.press("e")  # the next error is below what is folded
    until(lambda: len(shown(window)) == 5)
    window.wait("location.hash.endsWith('span=0000000000000003')")
    window.page.keyboard.press("Enter")
    detail = window.page.get_by_role("complementary", name="Span post pay")
    assert "attempt 1 of 2" in detail.text_content()
    assert "peer.service" in detail.text_content()
    window.page.keyboard.press("z")
    window.wait("location.hash.includes('zoom=')")
    window.page.keyboard.press("f")
    window.wait("!location.hash.includes('zoom=')")
    window.page.keyboard.press("Escape")
    detail.wait_for(state="detached")
    window.page.keyboard.press("Escape")
    window.wait("location.hash === '#/traces'")


def test_links_lead_to_what_was_handled_and_back(window: Window) -> None:
    window.go(f"#/traces/{WHOLE}")
    window.page.get_by_role("link", name="mail →").click()
    window.wait(f"location.hash.startsWith('#/traces/{CAUSE}')")
    detail = window.page.get_by_role("complementary", name="Span process orders.placed")
    detail.get_by_text("Comes from").wait_for()
    window.page.get_by_role("link", name="← shop").click()
    window.wait(f"location.hash === '#/traces/{WHOLE}?span=0000000000000002'")
    window.see("Handled because of this")


def test_lines_that_were_logged_stand_below_their_spans(window: Window) -> None:
    line = {"source": "bank-1", "time": "2026-01-05T10:00:00+00:00", "stream": "err"}
    lines = [
        line | {"text": "INFO opens the ledger", "trace": WHOLE, "span": f"{5:016x}"},
        line | {"text": "WARNING of the whole trace", "trace": WHOLE, "span": ""},
        line | {"text": "of another", "trace": LARGE, "span": f"{5:016x}"},
    ]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    window.page.route("**/api/logs?trace=*", lambda route: route.fulfill(body=body))
    window.go(f"#/traces/{WHOLE}")
    window.see("opens the ledger")
    rows = window.page.locator(".window > .line").evaluate_all(
        "(rows) => rows.map((row) => row.querySelector('.name, code, .head strong').textContent)"
    )
    assert rows[:2] == ["post /orders", "WARNING of the whole trace"]
    assert rows[-3:] == ["post /pay", "bank.ledger.Overdrawn", "INFO opens the ledger"]
    window.page.keyboard.press("o")
    window.page.get_by_text("opens the ledger").wait_for(state="detached")
    window.wait("location.hash.includes('logs=0')")


def test_logs_and_traces_lead_to_each_other(window: Window, traced: Place) -> None:
    url = json.loads(traced.skerry("ps", "--json"))["instances"][0]["url"]
    trace = "e5" * 16
    sent = {"traceparent": f"00-{trace}-{'1' * 16}-01"}
    assert fetch(f"{url}/hello", headers=sent)[0] == 200
    window.go(f"#/logs?q={trace}")
    line = window.page.locator(".log", has_text="somebody said hello")
    line.get_by_title(f"Trace {trace}").click()
    window.wait(f"location.hash.startsWith('#/traces/{trace}?span=')")
    window.page.locator(".line.log.warn", has_text="somebody said hello").wait_for()
    window.page.get_by_role("link", name="In the logs").first.click()
    window.wait(f"location.hash.includes('{trace}')")


def test_back_is_where_it_was(window: Window) -> None:
    window.go(f"#/traces/{WHOLE}?span={5:016x}")
    window.see("account = 7")
    window.page.evaluate(
        "location.hash = location.hash.replace(/span=.*/, 'span=0000000000000003')"
    )
    window.page.get_by_role("complementary", name="Span post pay").wait_for()
    window.page.go_back()
    window.page.get_by_role("complementary", name="Span post /pay").wait_for()


def test_what_is_not_as_it_was_sent_is_said(window: Window) -> None:
    window.go(f"#/traces/{TORN}")
    window.see("Clocks did not agree: spans of bank")
    window.see("The trace is in pieces: the parent of 1 span")
    window.page.locator(".line").get_by_text("no parent").wait_for()
    window.page.locator(".line").get_by_text("clock", exact=True).wait_for()
    assert "50.0 ms" in window.page.locator(".headline").text_content()


def test_ten_thousand_spans_are_few_elements(window: Window) -> None:
    window.go(f"#/traces/{LARGE}")
    window.see("step 2")
    assert "10.0k spans" in window.page.locator(".headline").text_content()
    assert window.page.evaluate("document.querySelectorAll('*').length") < 2500
    window.page.keyboard.press("e")
    window.page.locator(".line.span.chosen").get_by_text("step 7777").wait_for()
    assert "lost" in window.page.locator(".line.span.chosen").text_content()
    port = window.page.locator(".port")
    port.evaluate("port => { port.scrollTop = port.scrollHeight; }")
    window.see("step 10000")


def test_a_drag_on_the_small_picture_zooms(window: Window) -> None:
    window.go(f"#/traces/{LARGE}")
    box = window.page.locator(".minimap").bounding_box()
    window.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    window.page.mouse.down()
    window.page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 20, steps=4)
    window.page.mouse.up()
    window.wait("/zoom=[45]\\d{6}-7\\d{6}/.test(location.hash)")
    window.page.locator(".time.away").first.wait_for()


def test_what_is_looked_for_stands_out(window: Window) -> None:
    window.go(f"#/traces/{WHOLE}?q=peer.service%3Dbank")
    until(lambda: window.page.locator(".line.span.faint").count() == 3)
    window.page.locator(".legend .entry", has_text="bank").click()
    window.wait("location.hash.includes('app=bank')")


def test_a_trace_that_is_not_kept(window: Window) -> None:
    window.page.on("response", lambda answer: window.faults.clear() if answer.status == 404 else 0)
    window.go(f"#/traces/{'9' * 32}")
    window.see("This trace is not here")
    window.page.get_by_role("link", name="Search traces").click()
    window.see("get /everything")
    window.faults.clear()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_view_fits_a_telephone(open_window: Callable[..., Window], theme: str) -> None:
    window = open_window(viewport={"width": 390, "height": 844}, color_scheme=theme)
    for hash in ("#/traces", f"#/traces/{WHOLE}?span={5:016x}"):
        window.go(hash)
        window.page.locator("tr.row, .line.span").first.wait_for()
        width = "document.documentElement.scrollWidth"
        until(lambda width=width: window.page.evaluate(width) <= 390)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_and_everything_has_a_name(
    open_window: Callable[..., Window], scheme: str
) -> None:
    window = open_window(color_scheme=scheme)
    for hash in ("#/traces", f"#/traces/{WHOLE}?span={5:016x}", f"#/traces/{TORN}"):
        window.go(hash)
        window.page.locator("tr.row, .line.span").first.wait_for()
        assert window.page.evaluate(CONTRAST) == []
        nameless = window.page.evaluate(
            """() => [...document.querySelectorAll('button, a[href], input, select')]
            .filter((el) => el.checkVisibility() && !el.textContent.trim() && !el.ariaLabel
              && !el.labels?.length).map((el) => el.outerHTML)"""
        )
        assert nameless == []
