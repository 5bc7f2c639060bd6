"""What it looks like when an app breaks: ``quotes`` fails half of what it is asked.

Starts the fleet with ``QUOTES_FAIL_PERCENT=50``, sends payers to the portal, and watches how long
it takes until the fleet says what is wrong, with whose fault it is: by the verbs that anybody would
type. It stays up until Ctrl-C, so that all of it can be seen in the console as well.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from driver import FORM
from rich.console import Console
from rich.table import Table

from fleet import Fleet
from skerry.core.errors import CallError
from skerry.core.wire import Headers, Request, read_all
from skerry.stack.connector import Connection, connection

HERE = Path(__file__).parent
BROKEN = "quotes"
PATIENCE_SECONDS = 60
PRICES_A_SECOND = 20

Finding = tuple[str, str, str]
"""What to type to see it, its page of the console, and what it says."""
Found = dict[str, tuple[float, Finding]]
"""Each finding with the seconds after which it was there."""


def main() -> int:
    options = _options()
    fleet, console = Fleet(HERE / "fleet.toml"), Console()
    if fleet.status() is not None:
        console.print("The fleet is up already, and in order. First: skerry down")
        return 1
    try:
        if not fleet.up(QUOTES_FAIL_PERCENT=str(options.percent)):
            console.print("The fleet did not come up; `skerry logs` here says why.")
            return 1
        status = fleet.status() or {}
        found, answers = asyncio.run(_watch(fleet, status["front"]))
        _report(console, found, answers, status)
        if options.once or len(found) < len(QUESTIONS):
            return 0 if len(found) == len(QUESTIONS) else 1
        console.print("It stays broken, with nobody asking it anything, until Ctrl-C.")
        while True:
            time.sleep(1.0)
    except KeyboardInterrupt:
        console.print()
    finally:
        fleet.down()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--percent", type=int, default=50, help="of requests that fail (50)")
    parser.add_argument("--once", action="store_true", help="end when everything has been seen")
    return parser.parse_args()


async def _watch(
    fleet: Fleet, portal: str
) -> tuple[dict[str, tuple[float, Finding]], Counter[int]]:
    """What was found, and how many seconds after the first request that failed."""
    answers: Counter[int] = Counter()
    found: Found = {}
    to_portal = connection(portal, caller="demo", app="portal")
    failed = asyncio.Event()
    payers = asyncio.create_task(_payers(to_portal, answers, failed))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await failed.wait()
            began = time.monotonic()
            while len(found) < len(QUESTIONS):
                for name, ask in QUESTIONS.items():
                    if name not in found and (finding := await asyncio.to_thread(ask, fleet)):
                        found[name] = time.monotonic() - began, finding
    except TimeoutError:
        pass
    finally:
        payers.cancel()
        await to_portal.close()
    return found, answers


async def _payers(portal: Connection, answers: Counter[int], failed: asyncio.Event) -> None:
    """People who ask what it costs, one after the other."""
    body = urlencode({"amount": "1000", "pay_in": "JPY"}).encode()
    page = await portal(Request("GET", "/", "q=university"))
    schools = re.findall(r'href="(/schools/[^"]+)"', (await read_all(page.body)).decode())
    for school in itertools.cycle(schools):
        try:
            answer = await portal(Request("POST", school, "", Headers.of(FORM), body))
            await read_all(answer.body)
            status = answer.status
        except CallError:
            status = 0
        answers[status] += 1
        if status >= 500:
            failed.set()
        await asyncio.sleep(1 / PRICES_A_SECOND)


def _incident(fleet: Fleet) -> Finding | None:
    """One, however many apps it hurts."""
    open_ = fleet.ask("errors", "ls") or []
    if len(open_) != 1 or len(open_[0]["services"]) < 2:
        return None
    one = open_[0]
    hurts = ", ".join(app for app in one["services"] if app != one["service"])
    said = f"{one['service']}: {one['type'].rpartition('.')[2]}; hurts {hurts}"
    return f"skerry errors show {one['id'][:8]}", f"#/errors/{one['id']}", said


def _alert(fleet: Fleet) -> Finding | None:
    """To whoever owns the cause, with the victims under it."""
    firing = [one for one in fleet.ask("alerts") or [] if one["state"] == "firing"]
    if len(firing) != 1 or not firing[0]["incidents"]:
        return None
    one = firing[0]
    said = f"{one['app']}, told {one['owner']}"
    return "skerry alerts", f"#/alerts/{one['id']}", said


def _objective(fleet: Fleet) -> Finding | None:
    """What it has promised, and how it stands."""
    for one in fleet.ask("objectives") or []:
        if one["app"] == BROKEN and one["burning"]:
            said = f"{one['endpoint']}: {one['good']:.1f} % of {one['target']:g} % promised"
            return "skerry objectives", f"#/endpoints/{BROKEN}", said
    return None


def _map(fleet: Fleet) -> Finding | None:
    """The cause in red, and who suffers of it."""
    nodes = (fleet.ask("map") or {}).get("nodes", ())
    causes = [node["id"] for node in nodes if node["health"] == "cause"]
    victims = [node["id"] for node in nodes if node["health"] == "victim"]
    if causes != [BROKEN] or not victims:
        return None
    return "skerry map", f"#/map/{BROKEN}", f"{BROKEN} red; {', '.join(victims)} fails of it"


def _trace(fleet: Fleet) -> Finding | None:
    """The request in which it was seen, with the exception where it was raised."""
    open_ = fleet.ask("errors", "ls") or []
    if not open_ or not (seen := fleet.ask("errors", "show", open_[0]["id"])["seen"]):
        return None
    id = seen[0]["trace_id"]
    spans = fleet.ask("trace", "show", id) or []
    raised = {span["localEndpoint"]["serviceName"] for span in spans if _raised(span)}
    if raised != {BROKEN}:
        return None
    return f"skerry trace show {id}", f"#/traces/{id}", f"{len(spans)} spans; raised in {BROKEN}"


def _raised(span: dict[str, Any]) -> bool:
    events = (span.get("more") or {}).get("events", ())
    return any(event["name"] == "exception" for event in events)


QUESTIONS: dict[str, Callable[[Fleet], Finding | None]] = {
    "one incident": _incident,
    "red on the map": _map,
    "one alert": _alert,
    "the objective burns": _objective,
    "the trace": _trace,
}


def _report(
    console: Console,
    found: Found,
    answers: Counter[int],
    status: dict[str, Any],
) -> None:
    good = sum(count for code, count in answers.items() if code < 400)
    title = f"{BROKEN} is broken: {good} of {answers.total()} payers got a price"
    table = Table("what", "after", "which", "where to look", title=title)
    for name in QUESTIONS:
        if name in found:
            seconds, (verb, page, said) = found[name]
            table.add_row(name, f"{seconds:.1f} s", said, f"{verb}\n{status['console']}/{page}")
        else:
            table.add_row(name, f"not within {PATIENCE_SECONDS} s", "", "", style="red")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
