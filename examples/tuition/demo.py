"""``make demo``: the tuition fleet, at work, with its daemons killed under it.

Starts the fleet, sends it payments, kills who moves the money while it moves, compares everybody's
books, prints what happened, and stays up until Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from driver import Driver, Unexpected, driver
from killing import DAEMONS, Killer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from fleet import Fleet

HERE = Path(__file__).parent


def main() -> int:
    options = _options()
    fleet = Fleet(HERE / options.fleet)
    console = Console()
    began = time.monotonic()
    was_up = fleet.status() is not None
    if not was_up and not fleet.up():
        console.print(
            "The fleet did not come up; [bold]skerry logs[/] in examples/tuition says why."
        )
        fleet.down()
        return 1
    try:
        ready = time.monotonic() - began
        work, killer = asyncio.run(_work(console, fleet, options))
        dead = fleet.dead_letters()
        _report(console, fleet.settled_status(), work, killer, dead, ready)
        if not work.books.agree or work.house.twice() or dead or killer.killed != killer.back:
            console.print("[bold red]The books do not agree.[/]")
            return 1
        if not options.once:
            _wait(console, work)
    except Unexpected as unexpected:
        console.print(f"[bold red]{unexpected}[/]")
        return 1
    except KeyboardInterrupt:
        console.print()
    finally:
        if not was_up:
            fleet.down()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, default=300, help="how many payers come")
    parser.add_argument("--kills", type=int, default=2, help="how often each daemon is killed")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same work")
    parser.add_argument(
        "--fleet",
        default="fleet.toml",
        choices=("fleet.toml", "together.toml"),
        help="which of the two files runs",
    )
    parser.add_argument("--once", action="store_true", help="end when the work is done")
    return parser.parse_args()


async def _work(
    console: Console, fleet: Fleet, options: argparse.Namespace
) -> tuple[Driver, Killer]:
    status = fleet.status() or {}
    addresses: dict[str, str] = {"portal": status["front"]}
    for instance in status["instances"]:
        if instance["kind"] == "app" and instance["app"] != "portal" and instance["url"]:
            known = addresses.get(instance["app"])
            addresses[instance["app"]] = f"{known},{instance['url']}" if known else instance["url"]
    columns = (TextColumn("{task.description:>22}"), BarColumn(), MofNCompleteColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console) as progress:

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done)

        deaths = options.kills * len(DAEMONS)
        killer = Killer(
            fleet.command, options.kills, lambda done: tell("daemons killed, back", done, deaths)
        )
        async with driver(addresses, HERE / ".skerry" / "data", options.seed) as at_work:
            await at_work.run(options.payments, tell, killer.work)
            return at_work, killer


def _report(
    console: Console,
    status: dict[str, Any],
    work: Driver,
    killer: Killer,
    dead: int,
    ready: float,
) -> None:
    console.print(_apps(status, killer))
    console.print(_money(work, dead))
    console.print(_books(work))
    console.print(f"The fleet was ready after {ready:.1f} s. It is at:")
    console.print(f"  portal        {status['front']}")
    for instance in status["instances"]:
        if instance["url"]:
            console.print(f"  {instance['id']:<13} {instance['url']}/docs", highlight=False)


def _apps(status: dict[str, Any], killer: Killer) -> Table:
    apps = Table(title="What each app did")
    for name in ("app", "copies", "requests", "errors", "p50", "p99", "events", "killed"):
        apps.add_column(name, justify="left" if name == "app" else "right")
    for app in status["apps"]:
        counts = app["counts"]
        apps.add_row(
            app["app"],
            str(app["instances"]),
            str(counts["requests"]),
            str(counts["errors"]),
            _milliseconds(counts["p50_ms"]),
            _milliseconds(counts["p99_ms"]),
            str(counts["events"]),
            str(killer.killed[app["app"]] or ""),
        )
    return apps


def _money(work: Driver, dead: int) -> Table:
    money = Table("what", "how many", title="What became of the money")
    money.columns[1].justify = "right"
    for what, count in sorted(work.outcome.items()):
        money.add_row(what, str(count))
    for what, count in sorted(work.noise.items()):
        money.add_row(f"reference written: {what}", str(count), style="dim")
    mails, house = work.books.mails, work.house
    for what, count in (
        ("entries in the ledger", work.books.trial["entries"]),
        ("files of orders (pain.001)", house.files),
        ("transfers ordered in them", house.booked.total()),
        ("transfers ordered twice", house.twice()),
        ("e-mails sent, again after a kill too", mails["received"]),
        ("e-mails, each counted once", mails["unique"]),
        ("events given up", dead),
    ):
        money.add_row(what, str(count), style="cyan")
    return money


def _books(work: Driver) -> Table:
    trial, books = work.books.trial, work.books
    compared = Table("whose books", "difference", title="What they say of the same money")
    compared.columns[1].justify = "right"
    compared.add_row("the ledger's debits and credits", str(trial["difference"]))
    compared.add_row("the ledger's balances and postings", "none" if not trial["drift"] else "some")
    for whose, apart in books.differences.items():
        compared.add_row(whose, f"{apart + Decimal('0.00')}")
    compared.add_row("all", f"{books.difference}", style="bold green" if books.agree else "red")
    return compared


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _wait(console: Console, work: Driver) -> None:
    console.print("It stays up until Ctrl-C, and so does the bank that carries out its orders.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    while True:
        time.sleep(1.0)
        work.house.work()


if __name__ == "__main__":
    sys.exit(main())
