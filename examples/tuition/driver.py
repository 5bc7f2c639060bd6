"""Real work for the fleet: payers, a bank, and a person who looks at what is unclear.

Payers go through the portal as browsers do. The bank writes statements into the inbox, most of
them as payers write, some of them wrong. What is not certain is settled as a person would:
returned, or matched by hand. At the end every school is paid that can be.
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

from skerry.core.wire import Headers, Request, Response, read_all
from skerry.stack.connector import Connection, connection

sys.path.insert(0, str(Path(__file__).parent / "bank"))
from bank.generate import Noise, Payin, noisy, statement

T = TypeVar("T")
Told = Callable[[str, int, int], None]
"""Progress: what is being done, how much of it is done, how much there is."""

AT_ONCE = 12
FORM = {"content-type": "application/x-www-form-urlencoded"}
PAY_IN = ("EUR", "USD", "GBP", "INR", "CNY", "JPY", "KRW", "BRL", "TRY", "ZAR")
FIRST = ("Aylin", "Bo", "Chiara", "Diego", "Emeka", "Fatima", "Goran", "Hana", "Ines", "Jun")
LAST = ("Kaya", "Li", "Moretti", "Navarro", "Okafor", "Petrov", "Rossi", "Sato", "Tanaka", "Usman")
WORDS = ("university", "college", "institute", "school", "universidad", "hochschule", "academy")


class Unexpected(Exception):
    """An app answered what it should not have."""


class Driver:
    """Sends work to a fleet that is up.

    Args:
        apps: a connection to each app; ``portal`` is the front door.
        inbox: the folder bank watches.
        seed: the same seed, the same work.
    """

    def __init__(self, apps: Mapping[str, Connection], inbox: Path, seed: int) -> None:
        self._apps = apps
        self._inbox = inbox
        self._chance = random.Random(seed)
        self._run = f"{time.time_ns() // 1_000_000:x}"
        self._schools: list[dict[str, Any]] = []
        self._per_euro: dict[str, Decimal] = {}
        self.outcome: Counter[str] = Counter()
        self.noise: Counter[str] = Counter()

    async def run(self, payments: int, tell: Told) -> dict[str, Any]:
        """All of it; the ledger's trial balance."""
        await self._look_around()
        tell("payers at the portal", 0, payments)
        made = await self._each(
            [self._chance.randrange(2**32) for _ in range(payments)],
            self._payer,
            lambda done: tell("payers at the portal", done, payments),
        )
        sent, stray = self._bank_sends(made)
        await self._until_settled(sent, lambda done: tell("transfers matched", done, sent))
        await self._look_at_the_unmatched(stray)
        await self._each(made, self._finish, lambda done: tell("schools paid", done, len(made)))
        await self._ask("payments", "POST", "/sweeps")
        trial: dict[str, Any] = await self._ask("ledger", "GET", "/trial-balance")
        return trial

    async def _look_around(self) -> None:
        for word in WORDS:
            query = urlencode({"q": word, "limit": 100})
            page = await self._ask("schools", "GET", f"/schools?{query}")
            self._schools += page["schools"]
        rates = await self._ask("quotes", "GET", "/rates")
        self._per_euro = {rate["currency"]: Decimal(rate["per_euro"]) for rate in rates}

    async def _payer(self, seed: int) -> dict[str, Any]:
        """One person at the portal, from the first page to the account number."""
        chance = random.Random(seed)
        school = chance.choice(self._schools)
        name = f"{chance.choice(FIRST)} {chance.choice(LAST)}"
        euros = Decimal(chance.randrange(500, 20_000))
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
        return dict(await self._ask("payments", "GET", path))

    def _bank_sends(self, payments: list[dict[str, Any]]) -> tuple[int, dict[str, str]]:
        """Put one statement for each currency into the inbox: how many transfers they list, and
        the references that those with an unreadable one are really for."""
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
            arriving = self._inbox / f"{currency}-{self._run}.part"
            arriving.write_bytes(file)
            arriving.rename(arriving.with_suffix(".xml"))
        return sum(map(len, by_currency.values())), stray

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

    async def _until_settled(self, sent: int, tell: Callable[[int], None]) -> None:
        """Wait until bank has read the files and dealt with every transfer in them."""
        before = time.monotonic()
        while True:
            waiting = list(self._inbox.glob(f"*{self._run}.xml"))
            new = await self._transfers("new")
            tell(0 if waiting else max(0, sent - len(new)))
            if not waiting and not new and not list(self._inbox.glob("claimed/*/*.xml")):
                return
            if time.monotonic() - before > 120:
                raise Unexpected(f"bank has not settled after two minutes: {len(new)} wait")
            await asyncio.sleep(0.25)

    async def _look_at_the_unmatched(self, stray: dict[str, str]) -> None:
        """Match by hand what the bank's reference says more about than the payer did."""
        for transfer in await self._transfers("unmatched"):
            reference = stray.get(transfer["bank_reference"])
            if reference is None:
                continue
            path = f"/transfers/{transfer['id']}/match"
            await self._ask("bank", "PUT", path, {"reference": reference})
            self.outcome["matched by hand"] += 1

    async def _finish(self, payment: dict[str, Any]) -> None:
        """Return what must go back, pay out what can be."""
        path = f"/payments/{payment['id']}"
        now = await self._ask("payments", "GET", path)
        if Decimal(now["held"]) > 0:
            now = await self._ask("payments", "POST", f"{path}/return")
            self.outcome["money returned"] += 1
        if now["state"] == "converted":
            now = await self._ask("payments", "POST", f"{path}/pay-out")
        self.outcome[f"payments {now['state'].replace('_', ' ')}"] += 1

    async def _transfers(self, status: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            query = urlencode({"status": status, "after": after, "limit": 200})
            page = await self._ask("bank", "GET", f"/transfers?{query}")
            found += page["transfers"]
            after = page.get("next")
        return found

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

    async def _ask(self, app: str, method: str, path: str, body: Any = None) -> Any:
        headers, content = Headers(), b""
        if body is not None:
            headers, content = Headers.of({"content-type": "application/json"}), _json(body)
        answer = await self._send(app, Request(method, *_split(path), headers, content))
        text = await read_all(answer.body)
        if answer.status >= 300:
            raise Unexpected(f"{app}: {method} {path}: {answer.status} {text.decode()[:300]}")
        return json.loads(text)

    async def _send(self, app: str, request: Request) -> Response:
        return await self._apps[app](request)


@asynccontextmanager
async def driver(addresses: Mapping[str, str], inbox: Path, seed: int = 1) -> AsyncIterator[Driver]:
    """A driver with connections to the apps at ``addresses``, closed at the end."""
    async with AsyncExitStack() as opened:
        apps = {}
        for app, url in addresses.items():
            apps[app] = connection(url, caller="demo", app=app)
            opened.push_async_callback(apps[app].close)
        yield Driver(apps, inbox, seed)


def _split(path: str) -> tuple[str, str]:
    before, _, after = path.partition("?")
    return before, after


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
