"""What is tried with what: the dimensions, what cannot be, and a selection that misses no pair."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from itertools import combinations, product

from skerry.core.failpoint import POINTS

FAULTS = {
    "kill": "kill -9 of the process that is there; it is started again",
    "cut": "all its sockets are cut: the callers', the broker's, the database's",
    "broker": "the broker is killed and started again",
    "database": "the database server is killed and started again",
    "pause": "the process is stopped for longer than any lease",
}
CALLERS = {
    "retry": "the same key again, at the same instance",
    "other": "the same key again, at the other instance",
    "duplicate": "the same key at both instances at once",
}
DRIVERS = ("embedded", "rabbitmq")
DATABASES = ("sqlite", "postgresql")

LEDGER = {"driver.before_ack", "driver.after_ack", "driver.dead_letter"}
DEAD = {"driver.dead_letter", "consumer.after_bury"}
"""Points that only an event which dies comes to."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One experiment."""

    point: str
    fault: str
    caller: str
    driver: str
    database: str

    @property
    def role(self) -> str:
        """Whose process is at the point."""
        part = self.point.partition(".")[0]
        if part == "client":
            return "caller"
        return "ledger" if part == "consumer" or self.point in LEDGER else "payments"

    def __str__(self) -> str:
        return " × ".join(astuple(self))


def excluded(cell: Cell) -> str:
    """Why there can be no such experiment; empty where there can."""
    if cell.fault == "database" and cell.database == "sqlite":
        return "SQLite has no server that could be restarted"
    if cell.fault == "broker" and cell.driver == "embedded":
        return "the embedded bus has no server that could be restarted"
    if cell.point == "driver.before_commit" and cell.driver == "rabbitmq":
        return "RabbitMQ's transaction is its own"
    local = cell.driver == "embedded" and cell.database == "sqlite"
    if cell.fault == "cut" and local and cell.role == "ledger":
        return "with two files for broker and database, a handler's process has no socket"
    return ""


def every() -> list[Cell]:
    """The whole matrix."""
    found = product(POINTS, FAULTS, CALLERS, DRIVERS, DATABASES)
    return [cell for cell in (Cell(*values) for values in found) if not excluded(cell)]


def pairwise(cells: Sequence[Cell], seed: int) -> list[Cell]:
    """Some of them, so that every two values that are together in any are so in one of these.

    But for one: a broker that is killed takes ten seconds to be there again, so it is, not at
    each point, but at one of each group of them (``relay.*``, say). Of selections that do, a
    quick one is taken.
    """
    rng = random.Random(seed)
    missing = {pair for cell in cells for pair in _pairs(cell)}
    left = list(cells)
    rng.shuffle(left)
    chosen = []
    while missing:
        sample = left if len(left) < 200 else rng.sample(left, 200)
        best = max(sample, key=lambda cell: len(missing.intersection(_pairs(cell))) / cost(cell))
        covered = missing.intersection(_pairs(best))
        if not covered:
            best = next(cell for cell in left if missing.intersection(_pairs(cell)))
            covered = missing.intersection(_pairs(best))
        missing -= covered
        left.remove(best)
        chosen.append(best)
    return chosen


def _pairs(cell: Cell) -> Iterator[tuple[tuple[int, str], tuple[int, str]]]:
    for one, other in combinations(enumerate(astuple(cell)), 2):
        if other == (1, "broker"):
            yield (0, cell.point.partition(".")[0]), other
        else:
            yield one, other


def cost(cell: Cell) -> float:
    """Seconds, about."""
    if cell.fault in ("broker", "pause"):
        return {"broker": 10.0, "pause": 2.2 if cell.driver == "embedded" else 4.5}[cell.fault]
    return 1.2 if cell.driver == "embedded" else 2.0
