"""A little fleet with its console, as `skerry up` runs it, and a browser to look at it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 30.0  # seconds until a test gives up on something that must happen

SHOP = '''
    """Sells."""
    from typing import Annotated, Literal
    from annotated_types import Ge, Le
    from msgspec import Struct
    from skerry import App, Bus, Problem, event

    app = App("shop", version="1.4.2")
    bank = app.client("bank")

    @event("orders.placed", key="customer")
    class Placed(Struct):
        customer: str
        total: int

    app.publishes(Placed)

    class Order(Struct):
        customer: str
        goods: Literal["tea", "salt"] = "tea"
        count: Annotated[int, Ge(1), Le(9)] = 1
        tags: list[str] = []

    class Confirmed(Struct):
        id: str
        total: int

    class SoldOut(Problem, status=409):
        """There is none left."""

    class Unpayable(Exception):
        pass

    @app.on(Placed, permanent=(Unpayable,))
    async def bill(placed: Placed) -> None:
        if placed.customer.startswith("bad"):
            raise Unpayable(f"nobody lends to {placed.customer}")

    @app.post("/orders", status=201, raises=[SoldOut])
    async def order(new: Order, bus: Bus, express: bool = False) -> Confirmed:
        """Order goods.

        They leave the same day.
        """
        if new.goods == "salt":
            raise SoldOut(detail="no salt today")
        await bus.publish(Placed(new.customer, new.count))
        return Confirmed("o-1", new.count)

    @app.get("/orders/{id}")
    async def get_order(id: str, verbose: bool = False) -> Confirmed:
        """One order."""
        print(f"looked up {id}", flush=True)
        return Confirmed(id, 1)

    @app.get("/balance")
    async def balance() -> dict[str, int]:
        """What the bank says."""
        return await bank.balance()
'''

BANK = """
    from skerry import App

    app = App("bank", version="2.0.0")

    @app.get("/balance")
    async def balance() -> dict[str, int]:
        return {"cents": 1234}
"""

FILE = """
    [fleet]
    name = "harbour"

    [observe]
    collector = false
    console = true

    [apps.shop]
    needs = ["bank"]
    owner = "ann@example.org"
    team = "sales"

    [apps.bank]
    instances = 2

    [apps.plain]
    command = "exec python -m http.server $PORT --bind 127.0.0.1"

    [apps.rates]
    url = "http://127.0.0.1:9"
"""


@dataclass
class Place:
    """A fleet that runs, seen from outside.

    Attributes:
        url: of its console.
    """

    root: Path
    url: str

    def skerry(self, *words: str) -> str:
        """What a command line prints."""
        return command(self.root, *words)

    def ps(self) -> Any:
        return json.loads(self.skerry("ps", "--json"))

    def address(self, app: str) -> str:
        rows = self.ps()["instances"]
        return next(row["url"] for row in rows if row["app"] == app and row["state"] == "ready")

    def ask(
        self, path: str, method: str = "GET", body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """One request to the console: status, and the JSON of the answer or its text."""
        fields = {"x-skerry-console": "1", **{n.replace("_", "-"): v for n, v in headers.items()}}
        return fetch(self.url + path, method, body, fields)


def command(root: Path, *words: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "SKERRY_BUS"}
    done = subprocess.run(
        [sys.executable, "-m", "skerry.cli.main", *words],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fetch(
    url: str, method: str = "GET", body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    fields = {"content-type": "application/json"} if data is not None else {}
    request = urllib.request.Request(url, data, fields | (headers or {}), method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, read(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, read(error.read())


def read(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode()


def until(true: Callable[[], Any], what: str = "it") -> Any:
    """Wait for a condition; what it came to."""
    end = time.monotonic() + PATIENCE
    while not (value := true()):
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.05)
    return value


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The fleet, up, with something of everything to see."""
    root = tmp_path_factory.mktemp("harbour")
    for path, text in {"fleet.toml": FILE, "shop/app.py": SHOP, "bank/app.py": BANK}.items():
        file = root / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(text))
    (root / "plain").mkdir()
    command(root, "up", "--detach", "--no-reload")
    try:
        url = json.loads(command(root, "ps", "--json"))["console"]
        made = Place(root, url)
        shop = made.address("shop")
        for number in range(3):
            assert fetch(f"{shop}/balance")[0] == 200
            assert fetch(f"{shop}/orders/o-{number}")[0] == 200
        for number in range(5):
            order = {"customer": f"bad-{number}"}
            assert fetch(f"{shop}/orders", "POST", order)[0] == 201
        until(lambda: _dead(made) == 5, "dying")
        until(lambda: _told(made), "telling")
        yield made
    finally:
        command(root, "down")


def _told(place: Place) -> Any:
    """Instances tell of themselves within a second."""
    instances = place.ask("/api/apps/shop/stacks")[1]["instances"]
    versions = [app["versions"] for app in place.ps()["apps"] if app["kind"] == "app"]
    return all(versions) and instances and instances[0]["clients"]


def _dead(place: Place) -> int:
    status, queues = place.ask("/api/bus/queues")
    assert status == 200, queues
    return sum(queue["dead"] for queue in queues)


_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in _NAMES if (found := shutil.which(name))), None)


class Worker:
    """The thread that the browser is driven from: Playwright leaves its event loop running there,
    with which no test of anything asynchronous could run in the main one."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1)
        self._own = self._threads.submit(threading.get_ident).result()
        self.browser: Any = None

    def run(self, work: Callable[[], Any]) -> Any:
        if threading.get_ident() == self._own:
            return work()
        return self._threads.submit(work).result()

    def close(self) -> None:
        self._threads.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Worker]:
    """Debian's Chromium, without a window."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="no Playwright: pip install playwright"
    )
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium")
    worker = Worker()
    playwright = worker.run(lambda: sync_api.sync_playwright().start())
    options = {"executable_path": CHROMIUM, "args": ["--no-sandbox"]}
    worker.browser = worker.run(lambda: playwright.chromium.launch(**options))
    yield worker
    worker.run(worker.browser.close)
    worker.run(playwright.stop)
    worker.close()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A test that has a browser runs where that is driven from."""
    worker = pyfuncitem.funcargs.get("browser")
    if not isinstance(worker, Worker):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    worker.run(lambda: pyfuncitem.obj(**arguments))
    return True
