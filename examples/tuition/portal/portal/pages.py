"""Templates as answers. Jinja escapes everything that comes from outside."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from babel.core import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal, get_currency_name
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from skerry import Headers, Response

LOCALE = Locale("en")

STATES = {
    "awaiting_funds": "Waiting for your transfer",
    "underpaid": "Part of the money is here",
    "funded": "Your money is here, and is being checked",
    "overpaid": "More money than asked for is here; we will return the rest",
    "converted": "Your money is here and has been converted",
    "paid_out": "The school has been paid",
    "expired": "The money did not come in time; what came goes back",
    "refunded": "Your money has gone back",
}
STEPS = {
    "created": "Payment made, rate locked",
    "transfer": "Money received",
    "held": "A person looks at it",
    "cleared": "Checked",
    "rejected": "Not possible; the money goes back",
    "converted": "Converted at the locked rate",
    "paid_out": "Paid to the school",
    "returned": "Returned to the payer",
    "expired": "Closed: not paid in time",
}
HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


class Pages:
    """The templates of a folder."""

    def __init__(self, folder: Path) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(folder),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(
            money=money,
            rate=rate,
            day=day,
            moment=moment,
            grouped=grouped,
            country=lambda code: LOCALE.territories.get(code, code),
            currency=lambda code: get_currency_name(code, locale=LOCALE),
        )
        self._templates.globals.update(STATES=STATES, STEPS=STEPS)

    def show(self, name: str, /, status: int = 200, **values: Any) -> Response:
        body = self._templates.get_template(name).render(values).encode()
        headers = {**HEADERS, "content-length": str(len(body))}
        return Response(status, Headers.of(headers), body)

    def missing(self, what: str) -> Response:
        """There is no such thing."""
        return self.show("missing.html", status=404, what=what)


def money(amount: Decimal, currency: str) -> str:
    """``EUR 1,250.00``: the code and not a sign, of which three currencies share one."""
    return format_currency(amount, currency, "¤¤ #,##0.00", locale=LOCALE)


def rate(value: Decimal) -> str:
    """Every digit, none in powers of ten."""
    return format_decimal(value, "#,##0.############", locale=LOCALE, decimal_quantization=False)


def day(value: date) -> str:
    return format_date(value, "d MMMM y", locale=LOCALE)


def moment(value: datetime) -> str:
    return format_datetime(value, "d MMMM y, HH:mm 'UTC'", locale=LOCALE)


def grouped(text: str) -> str:
    """An IBAN or reference in groups of four, as it is written on paper."""
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))
