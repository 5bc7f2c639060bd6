from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from payments import events, store, views
from payments.clients.bank import TransferReceived
from payments.events import (
    FundsAllocated,
    FundsReturned,
    Parties,
    PaymentConverted,
    PaymentFunded,
    PaymentSettled,
    TransferRefused,
)
from payments.machine import Screening, State
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
from sqlalchemy import text

from skerry.bus.event import event_type
from skerry.data import schema
from skerry.data.database import Database

KINDS = {kind.__name__: kind for kind in vars(events).values() if "__event__" in dir(kind)}
TOPICS = {event_type(kind).topic: kind for kind in KINDS.values()}
NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
PAYER = Payer("Aylin Kaya", "aylin@example.org", "Deniz Kaya")


class Company:
    """The store, one transaction a call."""

    def __init__(self, database: Database) -> None:
        self.database = database
        schema.migrate(database.engine)

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

    def clear(self, payment: Payment) -> Payment:
        after: Payment = self.screened(payment.id, Screening.CLEARED, NOW)
        return after

    def told(self) -> list[Any]:
        """What lies in the outbox, in order."""
        with self.database.reading() as session:
            rows = session.execute(text("SELECT topic, body FROM skerry_outbox ORDER BY seq"))
            return [event_type(TOPICS[topic]).codec.decode(bytes(body)) for topic, body in rows]

    def happened(self, payment: Payment) -> list[tuple[str, str]]:
        with self.database.reading() as session:
            return [(step.what, step.state) for step in store.steps(session, payment.id)]


@pytest.fixture
def company(database: Database) -> Company:
    return Company(database)


def parties(payment: Payment) -> Parties:
    return Parties(
        payment.reference,
        *("Aylin Kaya", "aylin@example.org", "Deniz Kaya"),
        *("unitus-it", "Viterbo State University"),
    )


def test_the_good_way(company: Company) -> None:
    payment = company.new()
    assert (payment.state, payment.to_pay, payment.held) == ("awaiting_funds", 202_772, 0)
    assert payment.send_to.currency == "JPY"
    assert payment.due == date(2026, 11, 9)
    funded = company.send(payment, 202_772)
    assert (funded.state, funded.screening) == (State.FUNDED, Screening.ASKED)
    assert company.clear(payment).state is State.CONVERTED
    assert company.pay_out(payment.id, NOW).state is State.PAID_OUT
    assert company.happened(payment) == [
        ("created", "awaiting_funds"),
        ("transfer", "funded"),
        ("cleared", "funded"),
        ("converted", "converted"),
        ("paid_out", "paid_out"),
    ]
    who = parties(payment)
    allocated, *others = company.told()
    assert isinstance(allocated, FundsAllocated)
    assert (allocated.payment_id, allocated.amount) == (payment.id, Decimal(202_772))
    assert others == [
        PaymentFunded(payment.id, who, "JPY", Decimal(202_772)),
        PaymentConverted(
            payment.id, who, "JPY", Decimal(202_130), Decimal(642), "EUR", Decimal("1250.00")
        ),
        PaymentSettled(payment.id, who, "EUR", Decimal("1250.00")),
    ]


def test_what_is_held_waits_until_a_person_has_released_it(company: Company) -> None:
    payment = company.new()
    company.send(payment, 202_772)
    held = company.screened(payment.id, Screening.HELD, NOW)
    assert (held.state, held.screening) == (State.FUNDED, Screening.HELD)
    assert company.clear(payment).state is State.CONVERTED
    late = company.screened(payment.id, Screening.HELD, NOW)
    assert (late.state, late.screening) == (State.CONVERTED, Screening.CLEARED)


@pytest.mark.parametrize("amount", [202_772, 300_000])
def test_what_is_rejected_goes_back_whole(company: Company, amount: int) -> None:
    payment = company.new()
    company.send(payment, 202_772)
    if amount > 202_772:
        company.send(payment, amount - 202_772)
    after = company.screened(payment.id, Screening.REJECTED, NOW)
    assert (after.state, after.held) == (State.REFUNDED, 0)
    assert company.told()[-1] == FundsReturned(payment.id, parties(payment), "JPY", Decimal(amount))
    again = company.send(payment, 5)
    assert (again.state, again.held) == (State.EXPIRED, 5)
    assert company.give_back(payment.id, NOW).state is State.REFUNDED


def test_what_is_cleared_while_too_much_is_here_is_converted_when_the_excess_is_gone(
    company: Company,
) -> None:
    payment = company.new()
    company.send(payment, 202_772)
    assert company.send(payment, 5).state is State.OVERPAID
    assert company.clear(payment).state is State.OVERPAID
    assert company.give_back(payment.id, NOW).state is State.CONVERTED
    assert [type(event) for event in company.told()].count(PaymentFunded) == 1


def test_a_payment_in_two_transfers(company: Company) -> None:
    payment = company.new()
    first = company.send(payment, 200_000)
    assert (first.state, first.held) == (State.UNDERPAID, 200_000)
    assert company.send(payment, 2_772).state is State.FUNDED
    assert company.clear(payment).held == 0


def test_too_much_waits_until_the_excess_has_gone_back(company: Company) -> None:
    payment = company.new()
    assert company.send(payment, 202_800).state is State.OVERPAID
    with pytest.raises(TransitionNotAllowed):
        company.pay_out(payment.id, NOW)
    assert company.give_back(payment.id, NOW).state is State.FUNDED
    assert FundsReturned(payment.id, parties(payment), "JPY", Decimal(28)) in company.told()
    assert company.clear(payment).state is State.CONVERTED


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
    company.clear(payment)
    again = company.send(payment, 202_772)
    assert (again.state, again.held) == (State.CONVERTED, 202_772)
    after = company.give_back(payment.id, NOW)
    assert (after.state, after.held) == (State.CONVERTED, 0)
    assert [type(event) for event in company.told()].count(PaymentConverted) == 1


def test_a_day_late_is_late_by_the_banks_day_not_by_ours(company: Company) -> None:
    in_time, late = company.new(), company.new()
    assert company.send(in_time, 202_772, in_time.due).state is State.FUNDED
    after = company.send(late, 202_772, late.due + timedelta(days=1))
    assert (after.state, after.held) == (State.EXPIRED, 202_772)
    assert company.give_back(late.id, NOW).state is State.REFUNDED


def received(payment: Payment, id: str, **changed: Any) -> TransferReceived:
    given = {
        "transfer_id": id,
        "currency": "JPY",
        "amount": Decimal(202_772),
        "booked": NOW.date(),
        "sender": "A. Kaya",
        "reference": payment.reference,
    }
    return TransferReceived(**{**given, **changed})


def test_money_that_has_come_finds_its_payment(company: Company) -> None:
    payment, id = company.new(), str(uuid4())
    for _ in range(2):
        company.allocate(received(payment, id), NOW)
    allocated, funded = company.told()
    assert (allocated.transfer_id, allocated.reference) == (id, payment.reference)
    assert isinstance(funded, PaymentFunded)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"reference": "RF18539007547034"}, "No payment has this reference"),
        ({"currency": "EUR"}, "The transfer is in another currency than the payment asks for"),
        ({"amount": Decimal("0.5")}, "The currency has no such amount"),
    ],
)
def test_money_that_fits_no_payment_is_said_to(
    company: Company, changed: dict[str, Any], reason: str
) -> None:
    payment, id = company.new(), str(uuid4())
    company.allocate(received(payment, id, **changed), NOW)
    assert company.told() == [TransferRefused(id, reason)]
    company.allocate(received(payment, id, reference=None), NOW)
    assert len(company.told()) == 1


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
    assert {payment.held for payment in after} == {202_772}
    assert [type(event) for event in company.told()] == [FundsAllocated, PaymentFunded]


def test_many_transfers_at_once_all_count(company: Company) -> None:
    payment = company.new()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: company.send(payment, 100), range(20)))
    after = company.send(payment, 202_772 - 2_000)
    assert (after.state, after.held) == (State.FUNDED, 202_772)


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
    from sqlalchemy.exc import IntegrityError

    company.new()
    for change in ("held = -1", "state = 'lost'", "fee = fee + 1"):
        with pytest.raises(IntegrityError), company.database.writing() as session:
            session.execute(text(f"UPDATE payments SET {change}"))
