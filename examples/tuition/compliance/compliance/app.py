"""Screens payments when their money is here, and lets a person decide what a list cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from msgspec import Meta
from sqlalchemy.orm import Session

from compliance import store
from compliance.clients.payments import PaymentFunded
from compliance.clients.quotes import Quotes
from compliance.clients.schools import Schools
from compliance.events import PaymentCleared, PaymentHeld, PaymentRejected
from compliance.models import Status
from compliance.problems import CaseDecided, CaseUnknown
from compliance.screening import Subject, reasons
from compliance.values import Case, CasePage, Decision, Id
from skerry import App, Attempt, RelaySettings
from skerry.core.clock import Clock, system
from skerry.data.database import Database

LEASE_SECONDS = 5
"""What a crash may cost: the work of a dead instance is anybody's after that."""

app = App(
    "compliance",
    version="1.0.0",
    description="Looks at who pays whom before the money goes on.",
    relay=RelaySettings(lease=LEASE_SECONDS),
)
app.publishes(PaymentCleared, PaymentHeld, PaymentRejected)


@app.resource
async def database() -> AsyncIterator[Database]:
    async with Database.opened(
        "compliance", migrations=Path(__file__).with_name("migrations")
    ) as database:
        yield database


@database.health
async def answers(database: Database) -> None:
    await database.ping()


@app.resource
def clock() -> Clock:
    return system


@app.on(PaymentFunded, lease=LEASE_SECONDS)
async def screen(
    funded: PaymentFunded, attempt: Attempt, schools: Schools, quotes: Quotes, clock: Clock
) -> None:
    """The money of a payment is here: may it go on?

    Others are asked first, and then everything is written at once: a transaction waits for nobody.
    """
    parties = funded.parties
    school = await schools.get_school(parties.school_id)
    rates = await quotes.list_rates()
    subject = Subject(
        (parties.payer_name, parties.student, parties.school_name),
        school.country,
        funded.to_pay,
        funded.pay_in,
    )
    found = reasons(subject, {rate.currency: rate.per_euro for rate in rates})
    await attempt.write(store.screened, funded, found, _now(clock))


@app.get("/cases")
async def list_cases(
    database: Database,
    status: Status | None = None,
    after: Annotated[int, Meta(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Meta(ge=1, le=200)] = 50,
) -> CasePage:
    """Cases, oldest first; the queue of those that a person has to look at is ``status=open``."""
    found, more = await database.read(store.page, status=status, after=after, limit=limit)
    return CasePage(found, more)


@app.get("/cases/{payment_id}", raises=[CaseUnknown])
async def get_case(payment_id: Id, database: Database) -> Case:
    """The case of one payment."""
    return await database.read(store.get, payment_id)


@app.post("/cases/{payment_id}/decision", raises=[CaseUnknown, CaseDecided])
def decide(payment_id: Id, decision: Decision, session: Session, clock: Clock) -> Case:
    """Release a payment that is held, or send its money back."""
    return store.decide(session, payment_id, decision, _now(clock))


def _now(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.wall(), UTC)
