"""A payer pays tuition, as far as the payer's own bank: four apps, seen from the front door.

    skerry journey run            against the fleet that runs
    skerry journey run --in-process

It makes a payment that nobody sends money for; it expires, as those of people do who change
their minds. Its payer's name says whose it is.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from skerry import DynamicClient, Http, Run, eventually, journey, step

SCHOOL = "Koç University"


@journey(every="1m", within=20, owner="payments@tuition.example")
async def pay_tuition(
    http: Http,
    schools: DynamicClient,
    quotes: DynamicClient,
    payments: DynamicClient,
    run: Run,
) -> None:
    """A school is found, a rate is locked, a payment is made and tells where to send the money."""
    with step("find a school"):
        page = (await http.get("/", query={"q": SCHOOL})).ok()
        school_id = _first(r'href="/schools/([^"]+)"', page.text)
        school = await schools.get_school(school_id)
        assert school.name == SCHOOL
        assert school.currency in (await http.get(f"/schools/{school_id}")).ok().text

    with step("lock a rate", slow=1):
        page = await http.post(
            f"/schools/{school_id}", form={"amount": "48250.00", "pay_in": "EUR"}
        )
        quote_id = _first(r"^/quotes/([^/?]+)$", page.ok().url)
        quote = await quotes.get_quote(quote_id)
        assert (quote.school_id, quote.pay_in) == (school_id, "EUR")
        assert quote.amount == Decimal("48250.00")
        assert quote.to_pay == quote.converted + quote.fee

    with step("take the quote"):
        page = await http.post(
            f"/quotes/{quote_id}",
            form={
                "key": _first(r'name="key" value="([^"]+)"', page.text),
                "name": f"Journey {run.id}",
                "email": "journey@tuition.example",
                "student": "Nobody",
            },
        )
        payment_id = _first(r"^/payments/([^/?]+)$", page.ok().url)

    with step("see where to send the money"):

        async def accepted() -> Any:
            payment = await payments.get_payment(payment_id)
            assert payment.state.value == "awaiting_funds"
            return payment

        payment = await eventually(accepted, within=10)
        assert payment.to_pay == quote.to_pay
        assert payment.payer.name == f"Journey {run.id}"
        page = (await http.get(f"/payments/{payment_id}")).ok()
        assert payment.send_to.iban in re.sub(r"\s", "", page.text)


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, f"{pattern} is not in {text[:300]}"
    return found[1]
