"""Everybody's books, side by side: what the ledger has, and what those say who moved the money.

Each app knows its own part and no other's, so that they agree is no accident: money that was lost
on the way, or moved twice, is a difference.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

Ask = Callable[..., Awaitable[Any]]
Sums = Mapping[str, Decimal]
"""By currency."""

MAILS = {"PaymentConverted": 1, "PaymentPaidOut": 2, "FundsReturned": 1}
"""How many each entry of the ledger makes: the payer is told of all, the school of the last."""


class Reckoning:
    """What the apps say, and whether it is the same.

    Attributes:
        differences: by whose books are compared: sums of what is not equal, without signs.
        trial: the ledger's trial balance.
        mails: what has come to mailbox; expected: how many different ones there should be.
        totals: what payouts has ordered and paid.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.differences: dict[str, Decimal] = {}
        self.trial: dict[str, Any] = {}
        self.mails: dict[str, int] = {}
        self.expected = 0
        self.batches = 0

    @property
    def difference(self) -> Decimal:
        """All of them: 0.00, or something is wrong."""
        return sum(self.differences.values(), Decimal("0.00"))

    @property
    def agree(self) -> bool:
        """Whether nothing is different, and everybody has been written."""
        balanced = Decimal(self.trial["difference"]) == 0 and not self.trial["drift"]
        written = self.mails["unique"] == self.expected
        return balanced and written and self.difference == 0

    async def look(self) -> None:
        """Ask everybody."""
        self.trial = await self._ask("ledger", "GET", "/trial-balance")
        payments = await self.payments()
        entries = await self._pages("ledger", "/entries", "entries", "before")
        transfers = await self.transfers()
        payouts = await self._ask("payouts", "GET", "/totals")
        ledger = await self._ask("ledger", "GET", "/balances")
        self.mails = await self._ask("mailbox", "GET", "/summary")
        self.batches = len(await self._ask("payouts", "GET", "/batches?limit=200"))
        kinds = Counter(entry["kind"] for entry in entries)
        self.expected = sum(kinds[kind] * mails for kind, mails in MAILS.items())
        self._compare(payments, entries, transfers, payouts, ledger)

    def _compare(
        self,
        payments: list[dict[str, Any]],
        entries: list[dict[str, Any]],
        transfers: list[dict[str, Any]],
        payouts: list[dict[str, Any]],
        ledger: list[dict[str, Any]],
    ) -> None:
        def account(name: str) -> Sums:
            return _sums((b["currency"], b["balance"]) for b in ledger if b["account"] == name)

        converted = [p for p in payments if p["state"] in ("converted", "paid_out")]
        owed = _sums((p["currency"], p["amount"]) for p in payments if p["state"] == "converted")
        paid = _sums((p["currency"], p["amount"]) for p in payments if p["state"] == "paid_out")
        held = _sums((p["pay_in"], p["held"]) for p in payments)
        came = _sums((t["currency"], t["amount"]) for t in transfers if t["status"] != "outgoing")
        went = _sums((t["currency"], t["amount"]) for t in transfers if t["status"] == "outgoing")
        waits = _sums(
            (t["currency"], t["amount"]) for t in transfers if t["status"] in ("new", "unmatched")
        )
        returned = _sums(
            (line["currency"], line["amount"])
            for entry in entries
            if entry["kind"] == "FundsReturned"
            for line in entry["postings"]
            if line["account"] == "bank"
        )
        ordered = _sums((t["currency"], t["amount"]) for t in payouts if t["status"] != "paid")
        confirmed = _sums((t["currency"], t["amount"]) for t in payouts if t["status"] == "paid")
        fees = _sums((p["pay_in"], p["fee"]) for p in converted)
        self.differences = {
            "ledger and payments": _apart(account("client_funds"), held)
            + _apart(account("fees"), fees)
            + _apart(account("schools_payable"), owed),
            "ledger and bank": _apart(account("unallocated"), waits)
            + _apart(account("bank"), returned, *map(_negative, (came, went))),
            "payments and bank": _apart(
                _negative(came),
                waits,
                held,
                returned,
                _sums((p["pay_in"], p["to_pay"]) for p in converted),
            ),
            "payments and payouts": _apart(_negative(paid), confirmed)
            + _apart(_negative(owed), ordered),
            "payouts and bank": _apart(confirmed, went),
        }

    async def payments(self) -> list[dict[str, Any]]:
        """All payments, newest first."""
        return await self._pages("payments", "/payments", "payments", "before")

    async def transfers(self, status: str = "") -> list[dict[str, Any]]:
        """What bank has read, oldest first."""
        return await self._pages("bank", "/transfers", "transfers", "after", status=status)

    async def _pages(
        self, app: str, path: str, items: str, go_on: str, **query: str
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        place: int | None = None
        while True:
            asked = {name: value for name, value in query.items() if value}
            if place is not None:
                asked[go_on] = str(place)
            page = await self._ask(app, "GET", f"{path}?{urlencode({**asked, 'limit': 200})}")
            found += page[items]
            place = page.get("next")
            if place is None:
                return found


def _sums(amounts: Iterable[tuple[str, str]]) -> Sums:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for currency, amount in amounts:
        sums[currency] += Decimal(amount)
    return sums


def _negative(sums: Sums) -> Sums:
    return {currency: -amount for currency, amount in sums.items()}


def _apart(*parts: Sums) -> Decimal:
    """What is left of sums that should come to nothing, without signs, over all currencies."""
    currencies = {currency for part in parts for currency in part}
    return sum(
        (
            abs(sum((part.get(each, Decimal(0)) for part in parts), Decimal(0)))
            for each in currencies
        ),
        Decimal(0),
    )
