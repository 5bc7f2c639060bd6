"""``python -m bench opening [--rounds N] [--spans N]``: how long a large trace takes to be seen.

From the navigation of a browser that has nothing cached to the first rows painted, with a fleet
behind it as ``skerry up`` starts it. Needs Playwright and Chromium.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

_TRACE = "c0ffee" + "0" * 25 + "1"
_APPS = 10
_BATCH = 2_000
_WATCH = """
new MutationObserver((_, watcher) => {
  if (!document.querySelector('.line.span')) return;
  watcher.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => { window.painted = performance.now(); }));
}).observe(document, { childList: true, subtree: true });
"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench opening", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often it is opened (5)")
    parser.add_argument("--spans", type=int, default=10_000, help="how many it has (10000)")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="opening-"))
    try:
        (folder / "fleet.toml").write_text("[apps.idle]\n")
        (folder / "idle").mkdir()
        (folder / "idle" / "app.py").write_text("from skerry import App\n\napp = App('idle')\n")
        _skerry(folder, "up", "--detach", "--no-reload")
        status = json.loads(_skerry(folder, "ps", "--json"))
        _post(status["collector"], _spans(options.spans))
        times = _open(f"{status['console']}/#/traces/{_TRACE}", options.rounds)
    finally:
        _skerry(folder, "down")
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{options.spans:,} spans are seen after {statistics.median(times):.2f} s", end="")
    print(f" (median of {len(times)}; {min(times):.2f} to {max(times):.2f})")
    return 0


def _skerry(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "skerry.cli.main", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def _spans(count: int) -> list[dict[str, Any]]:
    """A tree, each span within its parent, some of them failed."""
    rng = random.Random(3)
    now = time.time_ns() // 1000 - 60_000_000
    found = [_span(1, 0, now, 10_000_000, rng)]
    waiting = deque([(1, now, 10_000_000)])
    while len(found) < count:
        parent, begin, length = waiting.popleft()
        at = begin + length // 50
        for _ in range(min(rng.choice((3, 4, 5, 6)), count - len(found))):
            took = max(30, int((begin + length - at) * rng.uniform(0.1, 0.4)))
            found.append(_span(len(found) + 1, parent, at, took, rng))
            waiting.append((len(found), at, took))
            at += took
    return found


def _span(id: int, parent: int, begin: int, length: int, rng: random.Random) -> dict[str, Any]:
    tags = {"db.system": "postgresql", "db.statement": "select 1 from things where id = 17"}
    if rng.random() < 0.004:
        tags["error"] = "lost"
    return {
        "traceId": _TRACE,
        "id": f"{id:016x}",
        **({"parentId": f"{parent:016x}"} if parent else {}),
        "name": rng.choice(("get /thing/{id}", "post /booking", "select things")),
        "timestamp": begin,
        "duration": length,
        "localEndpoint": {"serviceName": f"app-{rng.randrange(_APPS)}"},
        "tags": tags,
    }


def _post(url: str, spans: list[dict[str, Any]]) -> None:
    for first in range(0, len(spans), _BATCH):
        body = json.dumps(spans[first : first + _BATCH]).encode()
        request = Request(f"{url}/api/v2/spans", body, {"content-type": "application/json"})
        urlopen(request, timeout=60).close()


def _open(url: str, rounds: int) -> list[float]:
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for _ in range(rounds):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            page = context.new_page()
            page.add_init_script(_WATCH)
            page.goto(url)
            while not (painted := page.evaluate("window.painted || 0")):
                time.sleep(0.02)
            found.append(painted / 1000)
            context.close()
        browser.close()
    return found
