"""``make demo``: the tuition fleet, at work.

Starts the fleet, sends it payments, prints what happened, and stays up until Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from driver import Driver, driver
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

HERE = Path(__file__).parent
SKERRY = [str(Path(sys.executable).with_name("skerry"))]


def main() -> int:
    options = _options()
    console = Console()
    began = time.monotonic()
    was_up = _status() is not None
    if not was_up and subprocess.run([*SKERRY, "up", "--detach"], cwd=HERE).returncode:
        console.print(
            "The fleet did not come up; [bold]skerry logs[/] in examples/tuition says why."
        )
        _down()
        return 1
    try:
        ready = time.monotonic() - began
        status = _status() or {}
        trial, work = asyncio.run(_work(console, status, options.payments, options.seed))
        _report(console, _settled_status(), work, trial, ready)
        if Decimal(trial["difference"]) != 0 or trial["drift"]:
            console.print("[bold red]The books do not balance.[/]")
            return 1
        if not options.once:
            _wait(console)
    except KeyboardInterrupt:
        console.print()
    finally:
        if not was_up:
            _down()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, default=300, help="how many payers come")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same work")
    parser.add_argument("--once", action="store_true", help="end when the work is done")
    return parser.parse_args()


async def _work(
    console: Console, status: dict[str, Any], payments: int, seed: int
) -> tuple[dict[str, Any], Driver]:
    addresses: dict[str, str] = {"portal": status["front"]}
    for instance in status["instances"]:
        if instance["app"] != "portal" and instance["url"]:
            known = addresses.get(instance["app"])
            addresses[instance["app"]] = f"{known},{instance['url']}" if known else instance["url"]
    inbox = HERE / ".skerry" / "data" / "bank-inbox"
    columns = (TextColumn("{task.description:>22}"), BarColumn(), MofNCompleteColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console) as progress:

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done)

        async with driver(addresses, inbox, seed) as at_work:
            return await at_work.run(payments, tell), at_work


def _report(
    console: Console, status: dict[str, Any], work: Driver, trial: dict[str, Any], ready: float
) -> None:
    apps = Table("app", "instances", "requests", "errors", "p50", "p99", title="What each app did")
    for column in apps.columns[1:]:
        column.justify = "right"
    for app in status["apps"]:
        counts = app["counts"]
        apps.add_row(
            app["app"],
            str(app["instances"]),
            str(counts["requests"]),
            str(counts["errors"]),
            _milliseconds(counts["p50_ms"]),
            _milliseconds(counts["p99_ms"]),
        )
    console.print(apps)
    money = Table("what", "how many", title="What became of the money")
    money.columns[1].justify = "right"
    for what, count in sorted(work.outcome.items()):
        money.add_row(what, str(count))
    for what, count in sorted(work.noise.items()):
        money.add_row(f"reference written: {what}", str(count), style="dim")
    console.print(money)
    console.print(
        f"The ledger has {trial['entries']} entries in {len(trial['totals'])} currencies; "
        f"debits less credits: [bold]{trial['difference']}[/]."
    )
    console.print(f"The fleet was ready after {ready:.1f} s. It is at:")
    console.print(f"  portal    {status['front']}")
    for instance in status["instances"]:
        if instance["url"]:
            console.print(f"  {instance['id']:<9} {instance['url']}/docs", highlight=False)


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"


def _wait(console: Console) -> None:
    console.print("It stays up until Ctrl-C.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.pause()


def _settled_status() -> dict[str, Any]:
    """The status when instances have reported what they counted, which they do every second."""
    time.sleep(1.5)
    return _status() or {}


def _status() -> dict[str, Any] | None:
    """What ``skerry ps --json`` says; None if the fleet is not up."""
    done = subprocess.run(
        [*SKERRY, "ps", "--json"], cwd=HERE, capture_output=True, text=True, check=False
    )
    if done.returncode:
        return None
    status: dict[str, Any] = json.loads(done.stdout)
    return status


def _down() -> None:
    # In a group of its own: a second Ctrl-C must not leave half a fleet behind.
    subprocess.run([*SKERRY, "down"], cwd=HERE, process_group=0, env=os.environ, check=False)


if __name__ == "__main__":
    sys.exit(main())
