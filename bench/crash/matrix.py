"""Runs experiments, several lanes at a time, and prints what came of them as a table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from skerry.core.failpoint import POINTS
from skerry.fleet.localserver import BackingError

from .cells import CALLERS, DATABASES, DRIVERS, FAULTS, Cell, cost, excluded
from .ground import Broken
from .lane import Outcome, lane
from .processes import Zygote, zygote

_LANE = 45.0  # seconds
_MOST = 3

Say = Callable[[str], None]


async def run(cells: Sequence[Cell], say: Say, broken: Broken | None = None) -> list[Outcome]:
    """Carry out all of ``cells``; those that need a server which is not installed are left out.

    Args:
        say: is told of each as soon as it is over.
        broken: in the processes.
    """
    lanes = [(driver, database) for driver in DRIVERS for database in DATABASES]
    found: list[Outcome] = []
    async with zygote() as started, asyncio.TaskGroup() as group:
        for driver, database in lanes:
            mine = [c for c in cells if (c.driver, c.database) == (driver, database)]
            # Another fleet beside it costs little, but for another RabbitMQ.
            count = (
                1 if driver == "rabbitmq" else min(_MOST, 1 + int(sum(map(cost, mine)) // _LANE))
            )
            for number in range(count):
                if part := mine[number::count]:
                    group.create_task(_run_lane(part, started, found, len(cells), say, broken))
    return found


async def _run_lane(
    cells: Sequence[Cell],
    started: Zygote,
    found: list[Outcome],
    total: int,
    say: Say,
    broken: Broken | None,
) -> None:
    first = cells[0]
    try:
        async with lane(first.driver, first.database, started, broken) as opened:
            mine = []
            for cell in cells:
                outcome = await opened.run(cell)
                mine.append(outcome)
                found.append(outcome)
                say(f"{len(found)}/{total} {_line(outcome)}")
            late = await opened.audit()
            for outcome in mine:
                outcome.problems += late.get(outcome.cell, [])
    except* BackingError as missing:
        say(f"{first.driver} × {first.database}: left out: {missing.exceptions[0]}")


def _line(outcome: Outcome) -> str:
    how = "✗" if outcome.problems else "✓"
    text = f"{how} {outcome.cell} ({outcome.seconds:.1f} s)"
    return "\n    ".join([text, *outcome.problems])


def table(outcomes: Sequence[Outcome], chosen: Sequence[Cell]) -> str:
    """Points down, faults across, for each driver; what failed and what cannot be below."""
    columns = [(fault, driver) for fault in FAULTS for driver in DRIVERS]
    width = max(map(len, POINTS))
    heads = [f"{fault}" for fault, _ in columns]
    kinds = [f"{'file' if driver == 'embedded' else 'amqp'}" for _, driver in columns]
    lines = [_row("", heads, width), _row("", kinds, width)]
    reasons: dict[str, int] = {}
    done = {outcome.cell: outcome for outcome in outcomes}
    for point in dict.fromkeys(cell.point for cell in chosen):
        entries = [_entry(point, fault, driver, done, reasons) for fault, driver in columns]
        lines.append(_row(point, entries, width))
    lines.append("")
    lines.append("✓ all of its callers and databases are well; ✗ how many are not; · not tried")
    lines += [f"–{number}: {reason}" for reason, number in reasons.items()]
    failed = [outcome for outcome in outcomes if outcome.problems]
    lines += ["", *(_line(outcome) for outcome in failed)] if failed else []
    seconds = sum(outcome.seconds for outcome in outcomes)
    lines.append(f"{len(outcomes)} experiments, {len(failed)} failed; {seconds:.0f} s in all lanes")
    return "\n".join(lines)


def _entry(
    point: str, fault: str, driver: str, done: dict[Cell, Outcome], reasons: dict[str, int]
) -> str:
    cells = [
        Cell(point, fault, caller, driver, database) for caller in CALLERS for database in DATABASES
    ]
    why = [excluded(cell) for cell in cells]
    if all(why):
        return f"–{reasons.setdefault(why[0], len(reasons) + 1)}"
    tried = [done[cell] for cell in cells if cell in done]
    if not tried:
        return "·"
    failed = sum(bool(outcome.problems) for outcome in tried)
    return f"✗{failed}/{len(tried)}" if failed else "✓"


def _row(head: str, entries: Sequence[str], width: int) -> str:
    return f"{head:<{width}}  " + " ".join(f"{entry:^8}" for entry in entries).rstrip()
