"""The pages that payers see.

Each page is a form or a link away from the next, works without a script, and survives the back
button: what a form does happens once, by the key it was given with its page.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from msgspec import Meta

from portal.clients import payments as payments_api
from portal.clients import quotes as quotes_api
from portal.clients import schools as schools_api
from portal.clients.payments import NewPayment, Payer, Payments
from portal.clients.quotes import NewQuote, Quotes
from portal.clients.schools import Schools
from portal.forms import Form, read_form
from portal.pages import Pages
from skerry import App, Body, Headers, Response, redirect
from skerry.core.errors import Invalid

app = App("portal", version="1.0.0", description="The pages that payers see.")

HERE = Path(__file__).parent
Posted = Annotated[bytes, Body(media_type="application/x-www-form-urlencoded", limit=16_384)]
Text = Annotated[str, Meta(max_length=1000)]
WEEK = "public, max-age=604800"


@app.resource
def pages() -> Pages:
    return Pages(HERE / "templates")


@app.get("/", media_type="text/html")
async def find_school(
    schools: Schools,
    pages: Pages,
    q: Annotated[str, Meta(max_length=100, pattern=r"^[^\x00]*$")] = "",
    cursor: Text = "",
) -> Response:
    """Step one: which school?"""
    try:
        found = await schools.search_schools(q=q, cursor=cursor, limit=12) if q else None
    except schools_api.CursorUnknown:
        return redirect("/")
    return pages.show("find.html", q=q, found=found)


@app.get("/schools/{school_id}", media_type="text/html")
async def ask_amount(school_id: str, schools: Schools, quotes: Quotes, pages: Pages) -> Response:
    """Step two: how much, and in which currency?"""
    return await _amount_page(school_id, schools, quotes, pages)


@app.post("/schools/{school_id}", media_type="text/html")
async def lock_rate(
    school_id: str, posted: Posted, schools: Schools, quotes: Quotes, pages: Pages
) -> Response:
    """Step two, answered: lock a rate."""
    form = read_form(posted)
    try:
        amount = Decimal(form.get("amount", "").replace(" ", "").replace(",", "."))
        if not amount.is_finite() or amount <= 0:
            raise InvalidOperation
        new = NewQuote(school_id=school_id, amount=amount, pay_in=form.get("pay_in", ""))
        quote = await quotes.create_quote(new)
    except InvalidOperation:
        said = "Please write the amount in digits, as in 1250.00."
    except quotes_api.AmountNotPayable as problem:
        said = f"This amount cannot be paid: {problem.detail}."
    except quotes_api.CurrencyUnknown as problem:
        said = problem.detail
    except quotes_api.SchoolUnknown:
        said = ""  # the page says so
    except Invalid:
        said = "Please check the amount and the currency."
    else:
        return redirect(f"/quotes/{quote.id}")
    return await _amount_page(school_id, schools, quotes, pages, form, said)


@app.get("/quotes/{quote_id}", media_type="text/html")
async def show_quote(quote_id: str, quotes: Quotes, pages: Pages) -> Response:
    """Step three: what it costs; who pays?"""
    return await _quote_page(quote_id, quotes, pages)


@app.post("/quotes/{quote_id}", media_type="text/html")
async def take_quote(
    quote_id: str, posted: Posted, quotes: Quotes, payments: Payments, pages: Pages
) -> Response:
    """Step three, answered: make the payment, once for each time the page was shown."""
    form = read_form(posted)
    try:
        payer = Payer(
            name=form.get("name", "").strip(),
            email=form.get("email", "").strip(),
            student=form.get("student", "").strip(),
        )
        payment = await payments.create_payment(
            NewPayment(quote_id=quote_id, payer=payer), idempotency_key=form.get("key") or None
        )
    except payments_api.QuoteNotUsable:
        said = "This rate no longer holds. Please ask for a new one."
    except payments_api.KeyReused:
        said = "This form was sent before with other names. Please check them and send it again."
        form.pop("key", None)
    except Invalid as problem:
        wrong = sorted({fault.pointer.rpartition("/")[2] for fault in problem.errors})
        said = f"Please check: {', '.join(wrong)}."
    else:
        return redirect(f"/payments/{payment.id}")
    return await _quote_page(quote_id, quotes, pages, form, said)


@app.get("/payments/{payment_id}", media_type="text/html")
async def track_payment(payment_id: str, payments: Payments, pages: Pages) -> Response:
    """Step four: where to send the money, and what has become of it."""
    try:
        payment, steps = await asyncio.gather(
            payments.get_payment(payment_id), payments.list_steps(payment_id)
        )
    except (payments_api.PaymentUnknown, Invalid):
        return pages.missing("payment")
    return pages.show("payment.html", payment=payment, steps=steps)


@app.get("/style.css", media_type="text/css", hidden=True)
def style() -> Response:
    body = (HERE / "static" / "style.css").read_bytes()
    fields = {"content-type": "text/css; charset=utf-8", "cache-control": WEEK}
    return Response(200, Headers.of({**fields, "content-length": str(len(body))}), body)


async def _amount_page(
    school_id: str,
    schools: Schools,
    quotes: Quotes,
    pages: Pages,
    form: Form | None = None,
    said: str = "",
) -> Response:
    try:
        school, rates = await asyncio.gather(schools.get_school(school_id), quotes.list_rates())
    except (schools_api.SchoolUnknown, Invalid):
        return pages.missing("school")
    return pages.show(
        "amount.html",
        status=422 if said else 200,
        school=school,
        currencies=[rate.currency for rate in rates],
        form=form or {},
        said=said,
    )


async def _quote_page(
    quote_id: str, quotes: Quotes, pages: Pages, form: Form | None = None, said: str = ""
) -> Response:
    try:
        quote = await quotes.get_quote(quote_id)
    except (quotes_api.QuoteUnknown, Invalid):
        return pages.missing("quote")
    return pages.show(
        "quote.html",
        status=422 if said else 200,
        quote=quote,
        key=(form or {}).get("key") or str(uuid4()),
        form=form or {},
        said=said,
    )
