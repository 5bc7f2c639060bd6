"""One fleet on one broker and one kind of database, and the experiments it is put through."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec import json
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from skerry.core.errors import CallError
from skerry.core.wire import Headers, Request
from skerry.data.database import Database
from skerry.stack.connector import Connection

from . import ledger
from .apps import Arming, Leased, NewPayment
from .caller import Answer, Plan, read_answers
from .cells import DEAD, Cell
from .ground import Broken, Expected, Fleet, Ground, until
from .processes import Process, Zygote

PAUSE = {"embedded": 2.0, "rabbitmq": 3.5}
"""Seconds: longer than a lease; RabbitMQ gives a silent connection up after two heartbeats."""

ANSWERED = 40.0
"""Seconds in which every caller has an answer, restarts of brokers included."""

RESTARTED = 60.0
REACHED = 10.0

_DAY = 86_400.0


@dataclass
class Outcome:
    """What came of an experiment; of ``problems`` there are none if all went well."""

    cell: Cell
    problems: list[str]
    seconds: float


@dataclass
class Asked:
    """Where a process asks for its fault, and whether that has been."""

    path: str
    over: bool

    def is_over(self) -> bool:
        return self.over


class Lane(Ground):
    """See ``lane``."""

    # -- experiments --------------------------------------------------------------------------

    async def run(self, cell: Cell) -> Outcome:
        """One experiment; afterwards the fleet is as good as before, or there is none."""
        began = time.monotonic()
        fleet = self.fleet or await self.begin_fleet()
        try:
            problems = await self._experiment(fleet, cell)
        except Exception as error:
            problems = [f"{type(error).__name__}: {error}"]
        if problems:
            self.keep = True
            await self.end_fleet()
            problems.append(f"logs are in {fleet.folder}")
        return Outcome(cell, problems, time.monotonic() - began)

    async def _experiment(self, fleet: Fleet, cell: Cell) -> list[str]:
        name = f"c{next(self._cells)}-"
        once = fleet.folder / name
        once.mkdir()
        kinds = ("bad", "plain", "plain") if cell.point in DEAD else ("plain", "flaky", "plain")
        if (
            self._broken.what == "inbox"
        ):  # which counts attempts: what fails at first would for ever
            kinds = ("plain", "plain", "plain")
        payments = [
            NewPayment(f"{name}{account}{number}", f"{name}{account}", kind)
            for account in "ab"
            for number, kind in enumerate(kinds)
        ]
        deaths = [process.deaths for process in fleet.everybody]
        plan = Plan(cell.caller, payments, fleet.urls, str(once / "answers"))
        answers: list[Answer] = []
        times = 1
        if cell.point == "keys.expired":
            await self.call(plan)
            answers += read_answers(Path(plan.answers))
            await asyncio.to_thread(_age, fleet.databases["payments"])
            plan.answers, times = str(once / "answers-again"), 2
        async with self._asked(fleet, cell) as said:
            points = self._points(cell, said.path)
            if cell.role == "caller":
                plan.points, plan.once = points, str(once)
            else:
                await self._arm(fleet, cell.role, Arming(points, str(once)))
            died = await self.call(plan)
            answers += read_answers(Path(plan.answers))
            reached = once / cell.point
            await until(reached.exists, REACHED, f"{cell.point} was not reached")
            await until(said.is_over, RESTARTED, f"{cell.fault} has taken too long")
            expected = Expected(cell, name, payments, answers, times)
            problems = await self.settled(fleet, expected)
        died += sum(p.deaths - n for p, n in zip(fleet.everybody, deaths, strict=True))
        if died != (cell.fault == "kill"):
            problems.append(f"{died} processes have died")
        if cell.role != "caller":
            await self._arm(fleet, cell.role, Arming("", str(once)))
        fleet.expected.append(expected)
        return problems

    async def audit(self) -> dict[Cell, list[str]]:
        """What has become wrong since an experiment was over: something done late, and twice."""
        fleet = self.fleet
        found = {}
        for expected in fleet.expected if fleet is not None else []:
            assert fleet is not None
            assert expected.cell is not None
            if problems := await self.judge(fleet, expected):
                found[expected.cell] = [f"later: {problem}" for problem in problems]
        return found

    def _points(self, cell: Cell, socket: str) -> str:
        action = {"kill": "kill", "pause": f"pause:{PAUSE[cell.driver]}"}
        point = f"{cell.point}={action.get(cell.fault, f'ask:{socket}')}"
        if cell.point == "consumer.lease_lost":  # first it must be lost
            return f"consumer.after_claim=pause:{PAUSE[cell.driver]},{point}"
        return point

    async def _arm(self, fleet: Fleet, role: str, arming: Arming) -> None:
        body = json.encode(arming)
        for client in fleet.clients[role]:

            async def armed(client: Connection = client) -> bool:
                headers = Headers.of({"content-type": "application/json"})
                request = Request("POST", "/arm", headers=headers, body=body)
                try:
                    return (await client(request)).status == 204
                except CallError:
                    return False

            await until(armed, 20.0, f"{role} cannot be told what to do")

    @asynccontextmanager
    async def _asked(self, fleet: Fleet, cell: Cell) -> AsyncIterator[Asked]:
        """A socket at which a process says that it is there, and waits until it has happened."""
        path = Path(tempfile.mkdtemp(prefix="skerry-ask-")) / "s"
        asked = Asked(str(path), over=cell.fault in ("kill", "pause"))

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            await self.inflict(fleet, cell.fault)
            asked.over = True
            writer.write(b"\n")
            writer.close()

        server = await asyncio.start_unix_server(answer, path)
        try:
            yield asked
        finally:
            server.close()
            shutil.rmtree(path.parent, ignore_errors=True)

    async def call(self, plan: Plan) -> int:
        """Have all payments answered; how often the caller has died in between."""
        died = 0
        wanted = {payment.key for payment in plan.payments}
        deadline = time.monotonic() + ANSWERED
        while True:
            assert self.fleet is not None
            log = self.fleet.folder / "caller.log"
            caller = Process(self._zygote, "plan", plan, log, restart=False)
            await caller.start()
            try:
                async with asyncio.timeout_at(
                    asyncio.get_running_loop().time() + deadline - time.monotonic()
                ):
                    await caller.ended.wait()
            except TimeoutError:
                raise TimeoutError(f"not all were answered in {ANSWERED:g} s") from None
            finally:
                await caller.stop()
            if wanted <= {answer.key for answer in read_answers(Path(plan.answers))}:
                return died
            died += 1

    async def settled(self, fleet: Fleet, expected: Expected) -> list[str]:
        """What is wrong when nothing is left to do, or when that has taken too long.

        What the broker holds for a connection that was cut cannot be seen, so that all must be
        done as well as quiet.
        """
        deadline = time.monotonic() + self._broken.quiet
        while True:
            last = time.monotonic() > deadline
            try:
                problems = await self.unrest(fleet)
                if last or not problems:
                    problems += await self.judge(fleet, expected)
            except (CallError, DBAPIError) as error:  # what was killed is not quite there again
                problems = [str(error)]
            if last or not problems:
                return problems
            await asyncio.sleep(0.1)

    async def unrest(self, fleet: Fleet) -> list[str]:
        """What is still to be done, anywhere."""
        found = await asyncio.to_thread(ledger.unrest, fleet.databases)
        if found:
            return found
        leased = 0
        for client in fleet.clients["ledger"] + fleet.clients["audit"]:
            response = await client(Request("GET", "/leased"))
            if response.status != 200 or not isinstance(response.body, bytes):
                return ["a process does not answer"]
            leased += json.decode(response.body, type=Leased).count
        return await ledger.waiting(fleet.driver, leased, fleet.subscriptions)

    async def judge(self, fleet: Fleet, expected: Expected) -> list[str]:
        """What the ledger says."""
        e = expected
        effects = await asyncio.to_thread(ledger.effects, fleet.databases, e.prefix)
        dead = await ledger.dead_keys(fleet.driver, fleet.subscriptions[0], e.prefix)
        return ledger.violations(
            e.payments, e.answers, effects, dead, times=e.times, faults=e.faults
        )


@asynccontextmanager
async def lane(
    driver: str, database: str, zygote: Zygote, broken: Broken | None = None
) -> AsyncIterator[Lane]:
    """A lane with its servers started; its folder stays if anything went wrong in it.

    Raises:
        BackingError: a server that it needs is not installed.
    """
    folder = _folder()
    made = Lane(driver, database, folder, zygote, broken or Broken())
    try:
        await made.open()
        yield made
    finally:
        await made.close()
        if not made.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="skerry-crash-")).resolve()
    folder.chmod(0o755)  # PostgreSQL's own user has to reach it
    return folder


def _age(database: Database) -> None:
    """It is the day after tomorrow, as far as keys are concerned."""
    with database.writing() as session:
        session.execute(text("UPDATE skerry_idempotency SET seen = seen - :s"), {"s": 2 * _DAY})
