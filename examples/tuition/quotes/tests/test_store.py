from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from quotes import store
from quotes.problems import (
    AmountNotPayable,
    CurrencyUnknown,
    QuoteExpired,
    QuoteTaken,
    QuoteUnknown,
)
from quotes.rates import Rates
from quotes.values import NewQuote, Quote

from skerry.data.database import Database

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
RATES = Rates(date(2026, 10, 30), {"EUR": Decimal(1), "JPY": Decimal("160.5")})
PAYMENT, OTHER = "0" * 36, "1" * 36


def lock(database: Database, amount: str = "1250.00", pay_in: str = "JPY") -> Quote:
    new = NewQuote("unitus-it", Decimal(amount), pay_in)
    with database.writing() as session:
        return store.lock(session, new, "Viterbo State University", "EUR", RATES, NOW)


def test_what_was_locked_is_what_is_found(database: Database) -> None:
    quote = lock(database)
    assert quote.to_pay == quote.converted + quote.fee == Decimal(202_130 + 642)
    assert quote.rate == Decimal("161.70375")
    assert quote.expires == NOW + store.LOCKED_FOR
    with database.reading() as session:
        assert store.get(session, quote.id) == quote


def test_a_rate_that_is_tiny_survives_the_database(database: Database) -> None:
    tiny = Rates(RATES.day, {"EUR": Decimal("0.0000001"), "JPY": Decimal(7)})
    with database.writing() as session:
        new = NewQuote("x", Decimal(10_000_000), "EUR")
        quote = store.lock(session, new, "X", "JPY", tiny, NOW)
    with database.reading() as session:
        assert store.get(session, quote.id).rate == quote.rate == Decimal("1.4392857E-8")


def test_a_quote_goes_to_one_payment_however_often_it_asks(database: Database) -> None:
    quote = lock(database)
    for _ in range(2):
        with database.writing() as session:
            assert store.accept(session, quote.id, PAYMENT, NOW).payment_id == PAYMENT
    with pytest.raises(QuoteTaken), database.writing() as session:
        store.accept(session, quote.id, OTHER, NOW)


def test_two_payments_at_once_cannot_both_have_it(database: Database) -> None:
    quote, start, taken = lock(database), Barrier(2), list[str]()

    def accept(payment: str) -> None:
        start.wait()
        try:
            with database.writing() as session:
                store.accept(session, quote.id, payment, NOW)
            taken.append(payment)
        except QuoteTaken:
            pass

    threads = [Thread(target=accept, args=(payment,)) for payment in (PAYMENT, OTHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1


def test_a_rate_is_locked_to_the_second(database: Database) -> None:
    quote, other = lock(database), lock(database)
    with database.writing() as session:
        store.accept(session, quote.id, PAYMENT, quote.expires - timedelta(microseconds=1))
    with pytest.raises(QuoteExpired), database.writing() as session:
        store.accept(session, other.id, OTHER, other.expires)


def test_a_retry_that_comes_late_is_still_the_same_payment(database: Database) -> None:
    quote = lock(database)
    with database.writing() as session:
        store.accept(session, quote.id, PAYMENT, NOW)
    with database.writing() as session:
        assert store.accept(session, quote.id, PAYMENT, quote.expires + timedelta(days=1))


def test_what_cannot_be_quoted(database: Database) -> None:
    with pytest.raises(CurrencyUnknown) as unknown:
        lock(database, pay_in="KWD")
    assert unknown.value.currency == "KWD"
    with pytest.raises(AmountNotPayable):
        lock(database, amount="1.005")
    with database.reading() as session, pytest.raises(QuoteUnknown):
        store.get(session, "nothing")
