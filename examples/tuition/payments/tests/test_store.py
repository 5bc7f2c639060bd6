from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from payments import store, views
from payments.events import (
    Event,
    FundsAllocated,
    FundsReturned,
    PaymentConverted,
    PaymentPaidOut,
)
from payments.machine import State
from payments.problems import (
    AmountNotPayable,
    CurrencyMismatch,
    KeyReused,
    NothingToReturn,
    PaymentUnknown,
    ReferenceUnknown,
    TransferChanged,
    TransitionNotAllowed,
)
from payments.store import Price
from payments.values import NewPayment, Payer, Payment, Transfer

from skerry.data.database import Database

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
PAYER = Payer("Aylin Kaya", "aylin@example.org", "Deniz Kaya")


class Company:
    """The store, one transaction a call."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.database.writing() as session:
                row = getattr(store, name)(session, *args, **kwargs)
                session.flush()
                return views.payment(row) if hasattr(row, "reference") else row

        return call

    def new(self, key: str = "", quote_id: str = "") -> Payment:
        price = Price(
            quote_id or str(uuid4()),
            "unitus-it",
            "Viterbo State University",
            "EUR",
            Decimal("1250.00"),
            "JPY",
            Decimal("161.70375"),
            Decimal(202_130),
            Decimal(642),
        )
        made: Payment = self.create(
            str(uuid4()), key or str(uuid4()), NewPayment(price.quote_id, PAYER), price, NOW
        )
        return made

    def send(self, payment: Payment, amount: int, booked: date = NOW.date()) -> Payment:
        transfer = Transfer(payment.reference, "JPY", Decimal(amount), booked, "A. Kaya")
        after: Payment = self.record_transfer(str(uuid4()), transfer, NOW)
        return after

    def told(self, payment: Payment) -> list[Event]:
        with self.database.reading() as session:
            return [pending.event for pending in store.pending(session, payment.id)]

    def happened(self, payment: Payment) -> list[tuple[str, str]]:
        with self.database.reading() as session:
            return [(step.what, step.state) for step in store.steps(session, payment.id)]


@pytest.fixture
def company(database: Database) -> Company:
    return Company(database)


def test_the_good_way(company: Company) -> None:
    payment = company.new()
    assert (payment.state, payment.to_pay, payment.held) == ("awaiting_funds", 202_772, 0)
    assert payment.send_to.currency == "JPY"
    assert payment.due == date(2026, 11, 9)
    assert company.send(payment, 202_772).state is State.CONVERTED
    assert company.pay_out(payment.id, NOW).state is State.PAID_OUT
    assert company.happened(payment) == [
        ("created", "awaiting_funds"),
        ("transfer", "funded"),
        ("converted", "converted"),
        ("paid_out", "paid_out"),
    ]
    assert company.told(payment) == [
        FundsAllocated(payment.id, "JPY", Decimal(202_772)),
        PaymentConverted(
            payment.id, "JPY", Decimal(202_130), Decimal(642), "EUR", Decimal("1250.00")
        ),
        PaymentPaidOut(payment.id, "EUR", Decimal("1250.00")),
    ]


def test_a_payment_in_two_transfers(company: Company) -> None:
    payment = company.new()
    first = company.send(payment, 200_000)
    assert (first.state, first.held) == (State.UNDERPAID, 200_000)
    second = company.send(payment, 2_772)
    assert (second.state, second.held) == (State.CONVERTED, 0)


def test_too_much_waits_until_the_excess_has_gone_back(company: Company) -> None:
    payment = company.new()
    assert company.send(payment, 202_800).state is State.OVERPAID
    with pytest.raises(TransitionNotAllowed):
        company.pay_out(payment.id, NOW)
    after = company.give_back(payment.id, NOW)
    assert (after.state, after.held) == (State.CONVERTED, 0)
    assert FundsReturned(payment.id, "JPY", Decimal(28)) in company.told(payment)


def test_too_little_goes_back_whole(company: Company) -> None:
    payment = company.new()
    company.send(payment, 5)
    after = company.give_back(payment.id, NOW)
    assert (after.state, after.held) == (State.REFUNDED, 0)
    with pytest.raises(NothingToReturn):
        company.give_back(payment.id, NOW)


def test_money_sent_twice_goes_back_and_the_school_is_paid_once(company: Company) -> None:
    payment = company.new()
    company.send(payment, 202_772)
    again = company.send(payment, 202_772)
    assert (again.state, again.held) == (State.CONVERTED, 202_772)
    after = company.give_back(payment.id, NOW)
    assert (after.state, after.held) == (State.CONVERTED, 0)
    assert [type(event) for event in company.told(payment)].count(PaymentConverted) == 1


def test_a_day_late_is_late_by_the_banks_day_not_by_ours(company: Company) -> None:
    in_time, late = company.new(), company.new()
    assert company.send(in_time, 202_772, in_time.due).state is State.CONVERTED
    after = company.send(late, 202_772, late.due + timedelta(days=1))
    assert (after.state, after.held) == (State.EXPIRED, 202_772)
    assert company.give_back(late.id, NOW).state is State.REFUNDED


def test_what_is_overdue_expires_after_the_days_of_grace(company: Company) -> None:
    payment, paid = company.new(), company.new()
    company.send(paid, 202_772)
    last = payment.due + store.GRACE
    assert company.expire(last, NOW) == 0
    assert company.expire(last + timedelta(days=1), NOW) == 1
    assert company.expire(last + timedelta(days=1), NOW) == 0
    assert company.happened(payment)[-1] == ("expired", "expired")


def test_a_transfer_told_twice_counts_once(company: Company) -> None:
    payment, id = company.new(), str(uuid4())
    transfer = Transfer(payment.reference, "JPY", Decimal(1000), NOW.date(), "A. Kaya")
    for _ in range(2):
        assert company.record_transfer(id, transfer, NOW).held == 1000
    with pytest.raises(TransferChanged):
        changed = Transfer(payment.reference, "JPY", Decimal(1001), NOW.date(), "A. Kaya")
        company.record_transfer(id, changed, NOW)


def test_one_transfer_told_by_many_at_once_counts_once(company: Company) -> None:
    payment, id = company.new(), str(uuid4())
    transfer = Transfer(payment.reference, "JPY", Decimal(202_772), NOW.date(), "A. Kaya")
    with ThreadPoolExecutor(4) as threads:
        after = list(threads.map(lambda _: company.record_transfer(id, transfer, NOW), range(8)))
    assert {payment.held for payment in after} == {0}
    assert [type(event) for event in company.told(payment)] == [FundsAllocated, PaymentConverted]


def test_many_transfers_at_once_all_count(company: Company) -> None:
    payment = company.new()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: company.send(payment, 100), range(20)))
    after = company.send(payment, 202_772 - 2_000)
    assert (after.state, after.held) == (State.CONVERTED, 0)


def test_transfers_that_fit_no_payment(company: Company) -> None:
    payment = company.new()
    with pytest.raises(ReferenceUnknown):
        company.record_transfer(
            str(uuid4()), Transfer("RF18539007547034", "JPY", Decimal(1), NOW.date()), NOW
        )
    with pytest.raises(CurrencyMismatch) as mismatch:
        company.record_transfer(
            str(uuid4()), Transfer(payment.reference, "EUR", Decimal(1), NOW.date()), NOW
        )
    assert (mismatch.value.expected, mismatch.value.currency) == ("JPY", "EUR")
    with pytest.raises(AmountNotPayable):
        company.record_transfer(
            str(uuid4()), Transfer(payment.reference, "JPY", Decimal("0.5"), NOW.date()), NOW
        )


def test_a_key_makes_one_payment(company: Company) -> None:
    quote = str(uuid4())
    assert company.new("k1", quote).id == company.new("k1", quote).id
    with pytest.raises(KeyReused):
        company.new("k1", str(uuid4()))


def test_a_key_makes_one_payment_when_many_ask_at_once(company: Company) -> None:
    quote = str(uuid4())
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: company.new("k1", quote), range(8)))
    assert len({payment.id for payment in made}) == 1
    assert company.happened(made[0]) == [("created", "awaiting_funds")]


def test_events_are_pending_until_they_have_been_told(company: Company) -> None:
    payment = company.new()
    company.send(payment, 10)
    with company.database.reading() as session:
        (pending,) = store.pending(session)
    company.mark_announced(pending.number, NOW)
    assert company.told(payment) == []


def test_pages(company: Company) -> None:
    made = [company.new().id for _ in range(5)]
    seen: list[str] = []
    before: int | None = None
    while True:
        with company.database.reading() as session:
            rows, before = store.newest(session, state=None, before=before, limit=2)
        seen += [row.id for row in rows]
        if before is None:
            break
    assert seen == made[::-1]
    with company.database.reading() as session:
        assert store.newest(session, state=State.PAID_OUT, before=None, limit=2) == ([], None)


def test_nobody_knows_it(company: Company) -> None:
    with pytest.raises(PaymentUnknown):
        company.pay_out(str(uuid4()), NOW)


def test_the_database_itself_refuses_what_cannot_be(company: Company) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import IntegrityError

    company.new()
    for change in ("held = -1", "state = 'lost'", "fee = fee + 1"):
        with pytest.raises(IntegrityError), company.database.writing() as session:
            session.execute(text(f"UPDATE payments SET {change}"))
