"""Real work for the fleet: payers, a bank, and people who look at what is unclear.

Payers go through the portal as browsers do. Their banks send what they order, most of it as payers
write, some of it wrong; the bank at the other end carries out what the fleet orders. What is not
certain is settled as people would: matched by hand, released, rejected, returned. Then every school
is paid that can be, and everybody's books are compared.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from housebank import HouseBank
from reckoning import Reckoning

from skerry.core.errors import CallError
from skerry.core.wire import Headers, Request, Response, read_all
from skerry.stack.connector import Connection, connection

sys.path.insert(0, str(Path(__file__).parent / "bank"))
from bank.generate import Noise, Payin, noisy, statement

T = TypeVar("T")
Told = Callable[[str, int, int], None]
"""Progress: what is being done, how much of it is done, how much there is."""

AT_ONCE = 12
PATIENCE_SECONDS = 180
LEFTOVERS_SECONDS = 20
LOOK_SECONDS = 0.4
FORM = {"content-type": "application/x-www-form-urlencoded"}
PAY_IN = ("EUR", "USD", "GBP", "INR", "CNY", "JPY", "KRW", "BRL", "TRY", "ZAR")
FIRST = ("Aylin", "Bo", "Chiara", "Diego", "Emeka", "Fatima", "Goran", "Hana", "Ines", "Jun")
LAST = ("Kaya", "Li", "Moretti", "Navarro", "Okafor", "Petrov", "Rossi", "Sato", "Tanaka", "Usman")
WATCHED = ("Viktor Malenko", "Dragunov, Oleg Petrovich", "RAFAEL ORTEGA VILLANUEVA", "V. Malenko")
WORDS = ("university", "college", "institute", "school", "universidad", "hochschule", "academy")


class Unexpected(Exception):
    """An app answered what it should not have."""


class Unavailable(Unexpected):
    """An app could not answer now: it, or whom it asked, has just been killed, perhaps."""


class Driver:
    """Sends work to a fleet that is up.

    Args:
        apps: a connection to each app; ``portal`` is the front door.
        data: the fleet's folder of files: bank's inbox is in it, and what payouts orders.
        seed: the same seed, the same work.
    """

    def __init__(self, apps: Mapping[str, Connection], data: Path, seed: int) -> None:
        self._apps = apps
        self._chance = random.Random(seed)
        self._run = f"{time.time_ns() // 1_000_000:x}"
        self.house = HouseBank(data / "bank-orders", data / "bank-inbox", self._run)
        self.books = Reckoning(self.ask)
        self._schools: list[dict[str, Any]] = []
        self._per_euro: dict[str, Decimal] = {}
        self.outcome: Counter[str] = Counter()
        self.noise: Counter[str] = Counter()

    async def run(
        self, payments: int, tell: Told, while_it_moves: Callable[[], Awaitable[None]]
    ) -> None:
        """All of it.

        Args:
            while_it_moves: is done while the money is on its way.

        Raises:
            Unexpected: not everything has come to its end in time.
        """
        await self._until_the_books_agree(LEFTOVERS_SECONDS)
        if not self.books.agree:
            raise Unexpected(
                "The books did not agree before anything was done. Data of a fleet that paid "
                "schools without payouts never will: remove examples/tuition/.skerry."
            )
        await self._look_around()
        tell("payers at the portal", 0, payments)
        made = await self._each(
            [self._chance.randrange(2**32) for _ in range(payments)],
            self._payer,
            lambda done: tell("payers at the portal", done, payments),
        )
        stray = self._banks_send(made)
        tell("payments settled", 0, payments)
        disturbing = asyncio.ensure_future(while_it_moves())
        try:
            await self._until_over(
                {payment["id"] for payment in made},
                stray,
                lambda done: tell("payments settled", done, payments),
            )
        finally:
            await disturbing
        await self._until_the_books_agree(PATIENCE_SECONDS / 2)

    async def _look_around(self) -> None:
        for word in WORDS:
            query = urlencode({"q": word, "limit": 100})
            page = await self.ask("schools", "GET", f"/schools?{query}")
            self._schools += page["schools"]
        rates = await self.ask("quotes", "GET", "/rates")
        self._per_euro = {rate["currency"]: Decimal(rate["per_euro"]) for rate in rates}

    async def _payer(self, seed: int) -> dict[str, Any]:
        """One person at the portal, from the first page to the account number."""
        chance = random.Random(seed)
        school = chance.choice(self._schools)
        name = f"{chance.choice(FIRST)} {chance.choice(LAST)}"
        if chance.randrange(60) == 0:
            name = chance.choice(WATCHED)
        euros = Decimal(chance.randrange(500, 15_400))
        amount = max((euros * self._per_euro[school["currency"]]).quantize(Decimal("1E1")), 10)
        await self._page("/?" + urlencode({"q": school["name"].split()[0]}))
        quote = await self._submit(
            f"/schools/{school['id']}", amount=f"{amount:f}", pay_in=chance.choice(PAY_IN)
        )
        key = re.search(r'name="key" value="([^"]+)"', await self._page(quote))
        if key is None:
            raise Unexpected("the page of a quote has no form")
        payer = {"name": name, "email": "payer@example.org", "student": f"{name} jr."}
        path = await self._submit(quote, key=key[1], **payer)
        await self._page(path)
        return dict(await self.ask("payments", "GET", path))

    def _banks_send(self, payments: list[dict[str, Any]]) -> dict[str, str]:
        """Put one statement for each currency into the inbox; the references that transfers with
        an unreadable one are really for."""
        by_currency: dict[str, list[Payin]] = defaultdict(list)
        accounts, stray = {}, {}
        for number, payment in enumerate(payments):
            currency = payment["pay_in"]
            accounts[currency] = payment["send_to"]["iban"]
            for part, payin in enumerate(self._payins(payment, f"{self._run}{number:05d}")):
                if payin.noise in (Noise.WRONG_DIGIT, Noise.MISSING):
                    stray[payin.bank_reference] = payment["reference"]
                by_currency[currency].append(payin)
                self.noise[payin.noise.value] += 1 if part == 0 else 0
        for place, (currency, payins) in enumerate(sorted(by_currency.items())):
            file = statement(
                payins,
                account=accounts[currency],
                currency=currency,
                number=int(self._run, 16),
                day=datetime.now(UTC).date(),
                version="02" if place % 2 else "08",
            )
            self.house.send(file, f"{currency}-{self._run}")
        return stray

    def _payins(self, payment: dict[str, Any], bank_reference: str) -> list[Payin]:
        """What this payer sends: nearly always what was asked for."""
        due, sender = Decimal(payment["to_pay"]), payment["payer"]["name"]
        unit = Decimal(1).scaleb(due.as_tuple().exponent)  # type: ignore[arg-type]
        whole = Payin(payment["reference"], due, sender, bank_reference)
        match self._chance.randrange(40):
            case 0:
                self.outcome["paid too little"] += 1
                return [Payin(whole.reference, due - unit, sender, bank_reference)]
            case 1:
                self.outcome["paid too much"] += 1
                return [Payin(whole.reference, due + 100 * unit, sender, bank_reference)]
            case 2:
                self.outcome["paid in two transfers"] += 1
                half = (due / 2).quantize(unit)
                return [
                    Payin(whole.reference, half, sender, bank_reference + "a"),
                    Payin(whole.reference, due - half, sender, bank_reference + "b"),
                ]
            case 3:
                self.outcome["paid twice"] += 1
                return [whole, Payin(whole.reference, due, sender, bank_reference + "b")]
            case 4:
                return [Payin(whole.reference, due, sender, bank_reference, Noise.WRONG_DIGIT)]
            case 5:
                return [Payin(whole.reference, due, sender, bank_reference, Noise.MISSING)]
        return noisy(self._chance, [whole])

    async def _until_over(
        self, ours: set[str], stray: dict[str, str], tell: Callable[[int], None]
    ) -> None:
        """Do what people and the other bank do, until every payment has come to its end."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            self.house.work()
            left = ours
            try:
                await self._look_at_the_unmatched(stray)
                await self._look_at_the_held()
                payments = [p for p in await self.books.payments() if p["id"] in ours]
                await self._each(payments, self._return, lambda done: None)
                left = {p["id"] for p in payments if p["state"] not in ("paid_out", "refunded")}
            except* (CallError, Unavailable):
                pass  # who has just been killed is asked again
            tell(len(ours) - len(left))
            if not left:
                self.outcome.update(
                    f"payments {payment['state'].replace('_', ' ')}" for payment in payments
                )
                return
            if time.monotonic() > until:
                raise Unexpected(f"{len(left)} payments have not come to their end: {min(left)}")
            await asyncio.sleep(LOOK_SECONDS)

    async def _until_the_books_agree(self, patience: float) -> None:
        """Events are still under way when the last payment is settled. What is wrong with the books
        for good is wrong after ``patience`` seconds, too."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            self.house.work()
            try:
                await self.books.look()
                if self.books.agree:
                    return
            except* (CallError, Unavailable):
                pass
            await asyncio.sleep(LOOK_SECONDS)

    async def _look_at_the_unmatched(self, stray: dict[str, str]) -> None:
        """Match by hand what the bank's reference says more about than the payer did."""
        for transfer in await self.books.transfers("unmatched"):
            reference = stray.get(transfer["bank_reference"])
            if reference is None:
                continue
            path = f"/transfers/{transfer['id']}/match"
            await self.ask("bank", "PUT", path, {"reference": reference})
            self.outcome["matched by hand"] += 1

    async def _look_at_the_held(self) -> None:
        """Decide what compliance has left to a person."""
        cases = await self.ask("compliance", "GET", "/cases?status=open&limit=200")
        for case in cases["cases"]:
            listed = any("sanctions list" in reason for reason in case["reasons"])
            decision = {"verdict": "reject" if listed else "release", "by": "Noor"}
            await self.ask("compliance", "POST", f"/cases/{case['payment_id']}/decision", decision)
            self.outcome[f"held and {decision['verdict']}{'ed' if listed else 'd'}"] += 1

    async def _return(self, payment: dict[str, Any]) -> None:
        """Return what is not owed to the school; what is funded waits for compliance."""
        if payment["state"] == "funded" or not Decimal(payment["held"]):
            return
        await self.ask("payments", "POST", f"/payments/{payment['id']}/return")
        self.outcome["money returned"] += 1

    async def _each(
        self,
        items: list[Any],
        do: Callable[[Any], Awaitable[T]],
        tell: Callable[[int], None],
    ) -> list[T]:
        """``do`` for every item, a few at once, in order."""
        slots, done = asyncio.Semaphore(AT_ONCE), 0

        async def one(item: Any) -> T:
            nonlocal done
            async with slots:
                result = await do(item)
            done += 1
            tell(done)
            return result

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
        return [task.result() for task in tasks]

    async def _page(self, path: str) -> str:
        answer = await self._send("portal", Request("GET", *_split(path)))
        if answer.status != 200:
            raise Unexpected(f"GET {path}: {answer.status}")
        return (await read_all(answer.body)).decode()

    async def _submit(self, path: str, **fields: str) -> str:
        """Send a form; where it leads."""
        body = urlencode(fields).encode()
        answer = await self._send("portal", Request("POST", path, "", Headers.of(FORM), body))
        where = answer.headers.get("location")
        await read_all(answer.body)
        if answer.status != 303 or where is None:
            raise Unexpected(f"POST {path} of {fields}: {answer.status}")
        return where

    async def ask(self, app: str, method: str, path: str, body: Any = None) -> Any:
        headers, content = Headers(), b""
        if body is not None:
            headers, content = Headers.of({"content-type": "application/json"}), _json(body)
        answer = await self._send(app, Request(method, *_split(path), headers, content))
        text = await read_all(answer.body)
        if answer.status >= 300:
            kind = Unavailable if answer.status >= 500 else Unexpected
            raise kind(f"{app}: {method} {path}: {answer.status} {text.decode()[:300]}")
        return json.loads(text)

    async def _send(self, app: str, request: Request) -> Response:
        return await self._apps[app](request)


@asynccontextmanager
async def driver(addresses: Mapping[str, str], data: Path, seed: int = 1) -> AsyncIterator[Driver]:
    """A driver with connections to the apps at ``addresses``, closed at the end."""
    async with AsyncExitStack() as opened:
        apps = {}
        for app, url in addresses.items():
            apps[app] = connection(url, caller="demo", app=app)
            opened.push_async_callback(apps[app].close)
        yield Driver(apps, data, seed)


def _split(path: str) -> tuple[str, str]:
    before, _, after = path.partition("?")
    return before, after


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
