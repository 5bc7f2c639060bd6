"""Whoever pays: posts payments with keys, and goes on until each has an answer.

It is a process of its own, and may be killed as well; then it is started again, and does again
all that it did not write down.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from msgspec import Struct, json

from skerry import AttemptSettings, ClientSettings, DeadlineSettings
from skerry.core import failpoint
from skerry.core.errors import CallError
from skerry.core.wire import Headers, Request
from skerry.stack.connector import Connection, connection

from .apps import NewPayment

_PAUSE = 0.05


class Plan(Struct):
    """What a caller does.

    Attributes:
        behaviour: ``retry`` at the same instance, at the ``other``, or ``duplicate``: at both at
            once.
        targets: URLs of the instances.
        answers: the file that gets an ``Answer`` for each 2xx, one a line.
        points, once: its failpoints.
    """

    behaviour: str
    payments: list[NewPayment]
    targets: list[str]
    answers: str
    points: str = ""
    once: str = ""


class Answer(Struct):
    """A 2xx, or an answer that nobody should be given."""

    key: str
    status: int
    body: str


decode_plan = json.Decoder(Plan).decode
decode_answer = json.Decoder(Answer).decode


def call(plan: Plan) -> None:
    """Carry it out. On asyncio's own loop, which sends when it is told to, and not a turn later:
    so what "sent" means is the same at each failpoint."""
    failpoint.arm(plan.points, Path(plan.once))
    asyncio.run(_call(plan))


async def _call(plan: Plan) -> None:
    settings = ClientSettings(
        deadline=DeadlineSettings(timeout=4.0), attempt=AttemptSettings(timeout=2.0), breaker=None
    )
    instances = [connection(url, app="payments", settings=settings) for url in plan.targets]
    done = {answer.key for answer in read_answers(Path(plan.answers))}
    async with asyncio.TaskGroup() as group:
        for payment in plan.payments:
            if payment.key in done:
                continue
            if plan.behaviour == "duplicate":
                for instance in instances:
                    group.create_task(_pay(plan, payment, [instance]))
            else:
                order = instances[:1] if plan.behaviour == "retry" else instances
                group.create_task(_pay(plan, payment, order))
    for instance in instances:
        await instance.close()


async def _pay(plan: Plan, payment: NewPayment, instances: list[Connection]) -> None:
    """Until there is an answer for good: with the same key, at one instance after the other."""
    attempt = 0
    body = json.encode(payment)
    while True:
        fields = {"content-type": "application/json", "idempotency-key": payment.key}
        request = Request("POST", "/payments", headers=Headers.of(fields), body=body)
        try:
            response = await instances[attempt % len(instances)](request)
        except CallError:
            pass
        else:
            assert isinstance(response.body, bytes)
            if response.status < 500 and response.status != 409:
                _write(plan, Answer(payment.key, response.status, response.body.decode()))
                return
        attempt += 1
        await asyncio.sleep(_PAUSE)


def _write(plan: Plan, answer: Answer) -> None:
    file = os.open(plan.answers, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, json.encode(answer) + b"\n")
    finally:
        os.close(file)


def read_answers(path: Path) -> list[Answer]:
    """All that were written down."""
    if not path.exists():
        return []
    return [decode_answer(line) for line in path.read_bytes().splitlines()]
