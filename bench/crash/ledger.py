"""The oracle: what the three databases, the callers and the broker must agree on in the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import json
from sqlalchemy import text
from sqlalchemy.orm import Session

from skerry.bus.driver import Driver
from skerry.data.database import Database

from .apps import ATTEMPTS, NewPayment
from .caller import Answer

ROLES = ("payments", "ledger", "audit")

_WAITS = {
    "events in its outbox": "SELECT count(*) FROM skerry_outbox WHERE sent IS NULL",
    # What was buried by a process that then died is begun for good; nobody waits for it.
    "events that somebody is at": "SELECT count(*) FROM skerry_inbox"
    " WHERE state = 'begun' AND until > {now}",
    "keys without an answer": "SELECT count(*) FROM skerry_idempotency WHERE status IS NULL",
}


class Effect(NamedTuple):
    """A row that some transaction has left."""

    key: str
    account: str
    number: int
    attempt: int


Effects = Mapping[str, Sequence[Effect]]


def effects(databases: Mapping[str, Database], like: str) -> Effects:
    """What each app has done for accounts whose names begin so, in its order. Blocks."""

    def read(session: Session) -> list[Effect]:
        rows = session.execute(
            text(
                "SELECT key, account, number, attempt FROM effects"
                " WHERE account LIKE :like ORDER BY n"
            ),
            {"like": f"{like}%"},
        )
        return [Effect(*row) for row in rows]

    found = {}
    for role, database in databases.items():
        with database.reading() as session:
            found[role] = read(session)
    return found


def unrest(databases: Mapping[str, Database]) -> list[str]:
    """What the databases say is still to be done. Blocks."""
    found = []
    for role, database in databases.items():
        with database.reading() as session:
            for what, query in _WAITS.items():
                statement = text(query.format(now=time.time()))
                if count := session.execute(statement).scalar_one():
                    found.append(f"{role}: {count} {what}")
    return found


async def waiting(driver: Driver, leased: int, own: Iterable[str]) -> list[str]:
    """What the broker says is still to be done.

    Args:
        leased: deliveries that the processes say are out with them.
        own: subscriptions that matter.
    """
    found = [
        f"{queue.subscription}: {count} events in its queue"
        for queue in await driver.queues()
        if queue.subscription in own and (count := queue.ready + queue.delayed + queue.leased)
    ]
    return [*found, *([f"{leased} deliveries are out"] if leased else [])]


async def dead_keys(driver: Driver, subscription: str, like: str) -> Counter[str]:
    """The keys of the payments whose events have died, for accounts that begin so."""
    found: Counter[str] = Counter()
    for letter in await driver.dead(subscription, 10_000):
        body = json.decode(letter.message.body)
        if body["account"].startswith(like):
            found[body["key"]] += 1
    return found


def violations(
    payments: Iterable[NewPayment],
    answers: Iterable[Answer],
    effects: Effects,
    dead: Counter[str],
    *,
    times: int = 1,
    faults: int = 1,
) -> list[str]:
    """What must not be; empty if all is well.

    Args:
        times: how often each key was new.
        faults: how many there were: each may cost an event one attempt, and a dead letter one
            repetition.
    """
    kinds = {payment.key: payment.kind for payment in payments}
    bad = {key for key, kind in kinds.items() if kind == "bad"}
    return [
        *_answered(kinds, answers, times),
        *_once(kinds, effects["payments"], times),
        *_followed(effects, bad),
        *_in_order(effects, {key for key, kind in kinds.items() if kind == "late"}),
        *_bounded(effects, faults),
        *_died(bad, dead, times, faults),
    ]


def _answered(kinds: Mapping[str, str], answers: Iterable[Answer], times: int) -> list[str]:
    bodies: dict[str, set[str]] = {key: set() for key in kinds}
    found = []
    for answer in answers:
        if answer.status != 201:
            found.append(f"{answer.key} was answered with {answer.status} {answer.body}")
        bodies[answer.key].add(answer.body)
    for key, said in bodies.items():
        if len(said) > times:
            found.append(f"{key} was answered differently: {sorted(said)}")
        if not said:
            found.append(f"{key} was never answered")
    return found


def _once(kinds: Mapping[str, str], effects: Sequence[Effect], times: int) -> list[str]:
    counts = Counter(effect.key for effect in effects)
    return [
        f"payments: {key} was done {counts[key]} times, and not {times}"
        for key in kinds
        if counts[key] != times
    ]


def _followed(effects: Effects, bad: set[str]) -> list[str]:
    """Each effect has had its consequence, once."""
    found = []
    paid, booked, audited = (
        Counter((effect.key, effect.number) for effect in effects[role]) for role in ROLES
    )
    expected = Counter({one: 1 for one in paid if one[0] not in bad})
    for role, counts in (("ledger", booked), ("audit", audited)):
        for key, number in expected - counts:
            found.append(f"{role}: {key} (number {number}) was lost")
        for (key, number), more in (counts - expected).items():
            found.append(f"{role}: {key} (number {number}) was done {more + 1} times")
    return found


def _in_order(effects: Effects, late: set[str]) -> list[str]:
    found = []
    for role in ROLES:
        by_account: dict[str, list[int]] = {}
        for effect in effects[role]:
            if effect.key not in late:
                by_account.setdefault(effect.account, []).append(effect.number)
        for account, numbers in by_account.items():
            if numbers != sorted(numbers):
                found.append(f"{role}: {account} is out of order: {numbers}")
    return found


def _bounded(effects: Effects, faults: int) -> list[str]:
    """The first attempt, the failure of what fails at first, and one for each fault."""
    most = min(ATTEMPTS, 2 + faults)
    return [
        f"{role}: {effect.key} took {effect.attempt} attempts"
        for role in ROLES
        for effect in effects[role]
        if effect.attempt > most
    ]


def _died(bad: set[str], dead: Counter[str], times: int, faults: int) -> list[str]:
    found = [f"{key} should have died" for key in bad if not dead[key]]
    found += [f"{key} should not have died" for key in dead if key not in bad]
    found += [f"{key} died {count} times" for key, count in dead.items() if count > times + faults]
    return found
