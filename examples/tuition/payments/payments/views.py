"""Rows of the database as what others see."""

from __future__ import annotations

from decimal import Decimal

from payments import models
from payments.accounts import collection_account
from payments.machine import Screening, State
from payments.money import from_minor
from payments.values import Payer, Payment, Step


def payment(row: models.Payment) -> Payment:
    return Payment(
        id=row.id,
        reference=row.reference,
        state=State(row.state),
        screening=Screening(row.screening),
        school_id=row.school_id,
        school_name=row.school_name,
        payer=Payer(row.payer_name, row.payer_email, row.student),
        currency=row.currency,
        amount=from_minor(row.amount, row.currency),
        pay_in=row.pay_in,
        rate=Decimal(row.rate),
        converted=from_minor(row.converted, row.pay_in),
        fee=from_minor(row.fee, row.pay_in),
        to_pay=from_minor(row.to_pay, row.pay_in),
        held=from_minor(row.held, row.pay_in),
        created=row.created,
        due=row.due,
        send_to=collection_account(row.pay_in),
    )


def step(row: models.Step) -> Step:
    amount = None
    if row.amount is not None and row.currency is not None:
        amount = from_minor(row.amount, row.currency)
    return Step(row.what, State(row.state), row.at, amount, row.currency)
