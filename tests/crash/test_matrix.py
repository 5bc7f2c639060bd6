"""A selection of the crash matrix: every two of its values are together in some experiment.

``SKERRY_CRASH_SEED`` chooses another; ``python -m bench crash`` tries them all.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator

import pytest
from bench.crash.apps import ATTEMPTS, NewPayment
from bench.crash.caller import Plan
from bench.crash.cells import Cell, every, pairwise
from bench.crash.ground import Broken
from bench.crash.lane import lane
from bench.crash.ledger import effects
from bench.crash.matrix import run
from bench.crash.processes import zygote

INSTALL = "apt-get install postgresql rabbitmq-server"


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    logging.disable(logging.CRITICAL)  # a driver whose broker is killed has much to say
    yield
    logging.disable(logging.NOTSET)


async def test_a_selection_of_the_crash_matrix() -> None:
    seed = int(os.environ.get("SKERRY_CRASH_SEED", "1"))
    cells = pairwise(every(), seed)
    said: list[str] = []
    outcomes = await run(cells, said.append)
    failed = [f"{it.cell}: {'; '.join(it.problems)}" for it in outcomes if it.problems]
    assert not failed, f"SKERRY_CRASH_SEED={seed}:\n" + "\n".join(failed)
    assert any(it.cell.driver == "embedded" for it in outcomes)
    if len(outcomes) < len(cells):
        left_out = [line for line in said if "left out" in line]
        pytest.skip(f"{'; '.join(left_out)}; for the rest: {INSTALL}")


@pytest.mark.parametrize(
    ("what", "cell", "said"),
    [
        (
            "inbox",
            Cell("consumer.after_commit", "kill", "retry", "embedded", "sqlite"),
            "was done 2 times",
        ),
        (
            "fence",
            Cell("consumer.after_claim", "pause", "retry", "embedded", "sqlite"),
            "was done 2 times",
        ),
        (
            "confirm",
            Cell("driver.before_publish", "cut", "retry", "rabbitmq", "sqlite"),
            "was lost",
        ),
    ],
)
async def test_what_is_broken_is_found(what: str, cell: Cell, said: str) -> None:
    """The test of the test: without any one of these, the ledger does not balance."""
    outcomes = await run([cell], lambda line: None, Broken(what, quiet=6.0))
    if not outcomes:
        pytest.skip(f"no RabbitMQ here: {INSTALL}")
    assert said in "; ".join(outcomes[0].problems)


async def test_an_event_that_kills_its_handler_is_given_up() -> None:
    payment = NewPayment("x-1", "x")
    async with zygote() as started, lane("embedded", "sqlite", started) as opened:
        fleet = await opened.begin_fleet(points={"ledger": "consumer.before_effects=kill"})
        answers = fleet.folder / "answers"
        await opened.call(Plan("retry", [payment], fleet.urls, str(answers)))
        async with asyncio.timeout(60):
            while not await fleet.driver.dead(fleet.subscriptions[0]):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        (letter,) = await fleet.driver.dead(fleet.subscriptions[0])
        assert sum(process.deaths for process in fleet.processes["ledger"]) == ATTEMPTS
        assert not effects(fleet.databases, "x")["ledger"]
    assert "has come to an end" in letter.failure.reason


async def test_a_point_that_is_not_reached_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.crash.lane.REACHED", 1.0)
    monkeypatch.setattr("bench.crash.lane.DEAD", ())  # so nothing dies
    cell = Cell("consumer.after_bury", "kill", "retry", "embedded", "sqlite")
    (outcome,) = await run([cell], lambda line: None)
    assert "consumer.after_bury was not reached" in outcome.problems[0]
