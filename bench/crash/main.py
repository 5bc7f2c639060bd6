"""``python -m bench crash [--only NAME] [--driver D] [--database D] [--pairwise] [--seed N]``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import time
from collections.abc import Sequence

from .cells import DATABASES, DRIVERS, Cell, every, pairwise
from .matrix import run, table


def main(arguments: Sequence[str]) -> int:
    """Run the matrix; 0 if all went well."""
    parser = argparse.ArgumentParser(prog="python -m bench crash", description=__doc__)
    parser.add_argument("--only", help="points or faults whose name begins so: relay, kill, …")
    parser.add_argument("--driver", choices=DRIVERS)
    parser.add_argument("--database", choices=DATABASES)
    parser.add_argument("--pairwise", action="store_true", help="each pair of values, as in CI")
    parser.add_argument("--seed", type=int, default=None, help="of the order, and of --pairwise")
    parser.add_argument("--skip", type=int, default=0, help="so many first: to go on with a seed")
    chosen = parser.parse_args(arguments)
    seed = random.randrange(10_000) if chosen.seed is None else chosen.seed
    cells = [
        cell
        for cell in every()
        if chosen.driver in (None, cell.driver)
        and chosen.database in (None, cell.database)
        and (not chosen.only or _named(cell, chosen.only))
    ]
    if not cells:
        parser.error(f"nothing is called {chosen.only!r}")
    cells = pairwise(cells, seed) if chosen.pairwise else shuffled(cells, seed)
    cells = cells[chosen.skip :]
    print(f"{len(cells)} experiments, seed {seed}", flush=True)
    logging.disable(logging.CRITICAL)  # a driver whose broker is killed has much to say
    began = time.monotonic()
    outcomes = asyncio.run(run(cells, lambda line: print(line, file=sys.stderr, flush=True)))
    print(f"\n{table(outcomes, sorted(cells, key=every().index))}")
    print(f"{time.monotonic() - began:.0f} s; seed {seed}")
    return int(not outcomes or any(outcome.problems for outcome in outcomes))


def shuffled(cells: Sequence[Cell], seed: int) -> list[Cell]:
    """The same, in an order of chance."""
    return random.Random(seed).sample(list(cells), len(cells))


def _named(cell: Cell, name: str) -> bool:
    return cell.point.startswith(name) or cell.fault == name
