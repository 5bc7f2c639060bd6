"""The portal as a browser sees it, with the apps behind it played by the tests."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from portal.app import app
from portal.clients import payments as payments_api
from portal.clients import quotes as quotes_api
from portal.clients import schools as schools_api
from portal.clients.payments import Account, Payer, Payment, Payments, Screening, State, Step
from portal.clients.quotes import Quote, Quotes, Rate
from portal.clients.schools import School, SchoolPage, Schools
from portal.forms import read_form
from portal.pages import STATES, grouped, money, rate

from skerry.app.testclient import TestClient, TestResponse
from skerry.core.errors import Fault, Invalid

NOW = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)
SCHOOL = School(
    id="ku-edu-tr", name='Koç <b>"&" University', country="TR", domain="ku.edu.tr", currency="TRY"
)
QUOTE = Quote(
    id="q1",
    school_id=SCHOOL.id,
    school_name=SCHOOL.name,
    currency="TRY",
    amount=Decimal("1250.00"),
    pay_in="JPY",
    mid_rate=Decimal("3.1483025"),
    rate=Decimal("3.1719147"),
    rate_day=dt.date(2026, 10, 30),
    converted=Decimal(3965),
    fee=Decimal(703),
    to_pay=Decimal(4668),
    created=NOW,
    expires=NOW + dt.timedelta(minutes=30),
)
PAYMENT = Payment(
    id="p1",
    reference="RF18539007547034",
    state=State.AWAITING_FUNDS,
    screening=Screening.NONE,
    school_id=SCHOOL.id,
    school_name=SCHOOL.name,
    payer=Payer(name="Aylin Kaya", email="aylin@example.org", student="Deniz Kaya"),
    currency="TRY",
    amount=QUOTE.amount,
    pay_in="JPY",
    rate=QUOTE.rate,
    converted=QUOTE.converted,
    fee=QUOTE.fee,
    to_pay=QUOTE.to_pay,
    held=Decimal(0),
    created=NOW,
    due=dt.date(2026, 11, 9),
    send_to=Account(
        iban="DE03370400445320392000", bic="COBADEFFXXX", holder="Skerry Tuition", currency="JPY"
    ),
)


class FakeSchools:
    async def search_schools(self, **asked: Any) -> SchoolPage:
        if asked["cursor"] == "bad":
            raise schools_api.CursorUnknown
        return SchoolPage(schools=[SCHOOL] if asked["q"] == "koc" else [], next="a&b")

    async def get_school(self, school_id: str) -> School:
        if school_id != SCHOOL.id:
            raise schools_api.SchoolUnknown
        return SCHOOL


class FakeQuotes:
    async def list_rates(self) -> list[Rate]:
        return [Rate(currency=c, per_euro=Decimal(1), day=QUOTE.rate_day) for c in ("EUR", "JPY")]

    async def create_quote(self, body: Any) -> Quote:
        if body.school_id != SCHOOL.id:
            raise quotes_api.SchoolUnknown(school_id=body.school_id)
        if body.pay_in == "KWD":
            raise quotes_api.CurrencyUnknown(currency="KWD", detail="KWD is not among the rates.")
        if body.amount == Decimal("0.001"):
            raise quotes_api.AmountNotPayable(currency="TRY", detail="too many decimals")
        if body.amount > 10**12:
            raise Invalid(errors=[Fault("#/amount", "too much")])
        assert body.amount == QUOTE.amount
        return QUOTE

    async def get_quote(self, quote_id: str) -> Quote:
        if quote_id != "q1":
            raise quotes_api.QuoteUnknown
        return QUOTE


class FakePayments:
    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.refuse: Exception | None = None
        self.payment = PAYMENT

    async def create_payment(self, body: Any, *, idempotency_key: str | None = None) -> Payment:
        if self.refuse:
            raise self.refuse
        assert body.payer == PAYMENT.payer
        self.keys.add(idempotency_key or "")
        return PAYMENT

    async def get_payment(self, payment_id: str) -> Payment:
        if payment_id != "p1":
            raise payments_api.PaymentUnknown
        return self.payment

    async def list_steps(self, payment_id: str) -> list[Step]:
        step = Step(what="transfer", state=self.payment.state, at=NOW)
        step.amount, step.currency = Decimal(4668), "JPY"
        return [Step(what="created", state=State.AWAITING_FUNDS, at=NOW), step]


class Page(HTMLParser):
    """What matters of a page: it is well formed, labelled, and asks nobody else for anything."""

    EMPTY = frozenset({"meta", "link", "input"})

    def __init__(self, answer: TestResponse) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.labels: set[str] = set()
        self.inputs: dict[str, dict[str, str | None]] = {}
        self.links: list[str] = []
        self.text = ""
        self.feed(answer.text)
        self.close()
        assert self.open == [], "every element is closed"
        assert len(set(self.ids)) == len(self.ids)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in self.EMPTY:
            self.open.append(tag)
        if "id" in given:
            self.ids.append(given["id"] or "")
        if tag == "label":
            self.labels.add(given["for"] or "")
        if tag in ("input", "select"):
            self.inputs[given["name"] or ""] = given
        assert tag != "script"
        assert "style" not in given
        for name in ("href", "src", "action"):
            if given.get(name):
                self.links.append(given[name] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def check(answer: TestResponse, status: int = 200) -> Page:
    assert answer.status == status, answer
    assert answer.headers.get("content-type") == "text/html; charset=utf-8"
    assert "default-src 'none'" in (answer.headers.get("content-security-policy") or "")
    page = Page(answer)
    assert all(link.startswith(("/", "#", "?")) for link in page.links), page.links
    for name, given in page.inputs.items():
        if given.get("type") != "hidden":
            assert given["id"] in page.labels, f"{name} has no label"
    assert "<b>" not in answer.text
    return page


@pytest.fixture
def payments() -> FakePayments:
    return FakePayments()


@pytest.fixture
async def client(payments: FakePayments) -> AsyncIterator[TestClient]:
    fakes = {Schools: FakeSchools(), Quotes: FakeQuotes(), Payments: payments}
    async with TestClient(app, overrides=fakes) as client:
        yield client


async def submit(client: TestClient, path: str, **fields: str) -> TestResponse:
    return await client.post(
        path,
        content=urlencode(fields).encode(),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )


async def test_the_way_of_a_payer(client: TestClient, payments: FakePayments) -> None:
    check(await client.get("/"))
    page = check(await client.get("/?q=koc"))
    assert f"/schools/{SCHOOL.id}" in page.links
    assert SCHOOL.name in page.text
    assert "/?q=koc&cursor=a%26b" in page.links

    page = check(await client.get(f"/schools/{SCHOOL.id}"))
    assert set(page.inputs) == {"amount", "pay_in"}
    answer = await submit(client, f"/schools/{SCHOOL.id}", amount="1 250,00", pay_in="JPY")
    assert (answer.status, answer.headers.get("location")) == (303, "/quotes/q1")

    page = check(await client.get("/quotes/q1"))
    for expected in ("TRY 1,250.00", "JPY 3,965", "JPY 703", "JPY 4,668", "3.1719147"):
        assert expected in page.text.replace("\xa0", " ")
    key = page.inputs["key"]["value"] or ""
    payer = {"name": " Aylin Kaya ", "email": "aylin@example.org", "student": "Deniz Kaya"}
    for _ in range(2):
        answer = await submit(client, "/quotes/q1", key=key, **payer)
        assert (answer.status, answer.headers.get("location")) == (303, "/payments/p1")
    assert payments.keys == {key}

    page = check(await client.get("/payments/p1"))
    text = page.text.replace("\xa0", " ")
    for expected in ("DE03 3704 0044 5320 3920 00", "RF18 5390 0754 7034", "JPY 4,668"):
        assert expected in text
    assert "9 November 2026" in text
    assert "Money received: JPY 4,668" in text


@pytest.mark.parametrize(
    ("amount", "pay_in", "said"),
    [
        ("", "EUR", "in digits"),
        ("many", "EUR", "in digits"),
        ("NaN", "EUR", "in digits"),
        ("-5", "EUR", "in digits"),
        ("0.001", "EUR", "too many decimals"),
        ("1250", "KWD", "KWD is not among the rates"),
        ("1e13", "EUR", "check the amount"),
    ],
)
async def test_what_cannot_be_priced_is_said_kindly(
    client: TestClient, amount: str, pay_in: str, said: str
) -> None:
    page = check(await submit(client, "/schools/ku-edu-tr", amount=amount, pay_in=pay_in), 422)
    assert said in page.text
    assert page.inputs["amount"]["value"] == amount


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (payments_api.QuoteNotUsable(quote_id="q1"), "no longer holds"),
        (payments_api.KeyReused(), "sent before"),
        (Invalid(errors=[Fault("#/payer/email", "no")]), "Please check: email."),
    ],
)
async def test_what_cannot_be_paid_is_said_kindly(
    client: TestClient, payments: FakePayments, problem: Exception, said: str
) -> None:
    payments.refuse = problem
    page = check(await submit(client, "/quotes/q1", key="k", name="A", email="x", student="S"), 422)
    assert said in page.text
    assert page.inputs["name"]["value"] == "A"
    assert (page.inputs["key"]["value"] == "k") == (not isinstance(problem, payments_api.KeyReused))


@pytest.mark.parametrize("path", ["/schools/x", "/quotes/x", "/payments/x"])
async def test_what_is_not_there(client: TestClient, path: str) -> None:
    assert "There is no such" in check(await client.get(path), 404).text


async def test_nobody_is_charged_for_a_school_that_is_not_there(client: TestClient) -> None:
    answer = await submit(client, "/schools/x", amount="1250.00", pay_in="JPY")
    assert "There is no such" in check(answer, 404).text


async def test_an_old_cursor_begins_again(client: TestClient) -> None:
    assert (await client.get("/?q=koc&cursor=bad")).headers.get("location") == "/"


@pytest.mark.parametrize("state", list(State))
async def test_every_state_has_words(
    client: TestClient, payments: FakePayments, state: State
) -> None:
    payments.payment = payments_api.Payment(
        **{name: getattr(PAYMENT, name) for name in PAYMENT.__struct_fields__ if name != "state"},
        state=state,
    )
    page = check(await client.get("/payments/p1"))
    assert ("Send exactly this" in page.text) == (state in ("awaiting_funds", "underpaid"))
    assert STATES[state] in page.text


async def test_the_style_is_ours_and_whole(client: TestClient) -> None:
    answer = await client.get("/style.css")
    assert answer.headers.get("content-type") == "text/css; charset=utf-8"
    assert not re.search(r"https?:|@import|url\(", answer.text)
    assert answer.text.count("{") == answer.text.count("}")


def test_money_is_written_with_its_code_and_decimals() -> None:
    assert money(Decimal("1234.5"), "EUR").replace("\xa0", " ") == "EUR 1,234.50"
    assert money(Decimal("1234"), "JPY").replace("\xa0", " ") == "JPY 1,234"
    assert money(Decimal("0.1"), "KWD").replace("\xa0", " ") == "KWD 0.100"
    assert rate(Decimal("1.4392857E-8")) == "0.000000014392857"
    assert rate(Decimal("3.1719147")) == "3.1719147"
    assert grouped("RF1853900") == "RF18 5390 0"


def test_what_is_no_form_has_no_fields() -> None:
    assert read_form(b"a=1&b=&a=2") == {"a": "2", "b": ""}
    assert read_form(b"\xff\xfe") == {}
    assert read_form(b"&".join(b"a=1" for _ in range(60))) == {}
