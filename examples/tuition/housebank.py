"""The bank at the other end, for demonstrations: carries out files of orders, and sends statements.

It does what a bank's own checks do: a file whose sums are not those of its parts is refused, and so
is one whose ``MsgId`` it knows. What it has carried out twice it would say, too.
"""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring
from msgspec import Struct

sys.path.insert(0, str(Path(__file__).parent / "bank"))
from bank.generate import Payout, statement

NAMESPACE = "{urn:iso:std:iso:20022:tech:xsd:pain.001.001.09}"


class OrderRefused(Exception):
    """The file is not one that a bank carries out."""


class Order(Struct, frozen=True):
    """A file of orders, as far as a bank needs it.

    Attributes:
        account: the one to debit (IBAN).
        schools: how many receivers' blocks it has.
    """

    id: str
    account: str
    currency: str
    schools: int
    payouts: list[Payout]


def read_order(xml: bytes) -> Order:
    """A pain.001 file.

    Raises:
        OrderRefused: its sums are not those of its parts, or it has two accounts.
    """
    root = fromstring(xml, forbid_dtd=True)
    for element in root.iter():
        element.tag = element.tag.removeprefix(NAMESPACE)
    message = _one(root, "CstmrCdtTrfInitn")
    id = _text(message, "GrpHdr/MsgId")
    blocks = message.findall("PmtInf")
    for part in (message, *blocks):
        header = _one(part, "GrpHdr") if part is message else part
        amounts = [Decimal(found.text or "") for found in part.iter("InstdAmt")]
        said = int(_text(header, "NbOfTxs")), Decimal(_text(header, "CtrlSum"))
        if said != (len(amounts), sum(amounts)):
            raise OrderRefused(f"{id}: {said} is not what it has: {len(amounts)}, {sum(amounts)}")
    accounts = {(_text(b, "DbtrAcct/Id/IBAN"), _text(b, "DbtrAcct/Ccy")) for b in blocks}
    if len(accounts) != 1:
        raise OrderRefused(f"{id}: it debits {len(accounts)} accounts")
    ((account, currency),) = accounts
    payouts = [
        Payout(
            _text(transfer, "PmtId/EndToEndId"),
            Decimal(_text(transfer, "Amt/InstdAmt")),
            _text(transfer, "Cdtr/Nm"),
            f"{id}/{place}"[-35:],
        )
        for place, transfer in enumerate(message.iter("CdtTrfTxInf"))
    ]
    return Order(id, account, currency, len(blocks), payouts)


class HouseBank:
    """Takes files out of one folder, and puts statements into another.

    Args:
        orders: the folder that payouts hands files over in.
        inbox: the folder that bank reads.
        run: tells this bank's statements from those of another day.
    """

    def __init__(self, orders: Path, inbox: Path, run: str) -> None:
        self._orders = orders
        self._inbox = inbox
        self._run = run
        self._statements = 0
        self.files = 0
        self.known_files = 0
        self.schools = 0
        self.booked: Counter[str] = Counter()
        self.sums: dict[str, Decimal] = {}

    def work(self) -> int:
        """Carry out what lies there; how many transfers."""
        taken = self._orders / "taken"
        taken.mkdir(parents=True, exist_ok=True)
        done = 0
        for file in sorted(self._orders.glob("*.xml")):
            if (taken / file.name).exists():  # the MsgId is the file's name
                self.known_files += 1
                file.unlink()
                continue
            order = read_order(file.read_bytes())
            self._carry_out(order)
            file.replace(taken / file.name)
            done += len(order.payouts)
        return done

    def twice(self) -> int:
        """Payments that it was told to pay in two different files: none."""
        return sum(1 for times in self.booked.values() if times > 1)

    def _carry_out(self, order: Order) -> None:
        self._statements += 1
        self.files += 1
        self.schools += order.schools
        self.booked.update(payout.end_to_end for payout in order.payouts)
        total = sum((payout.amount for payout in order.payouts), Decimal(0))
        self.sums[order.currency] = self.sums.get(order.currency, Decimal(0)) + total
        self.send(
            statement(
                order.payouts,
                account=order.account,
                currency=order.currency,
                number=int(self._run, 16) + self._statements,
                day=datetime.now(UTC).date(),
            ),
            f"{order.currency}-{self._run}-out{self._statements}",
        )

    def send(self, xml: bytes, name: str) -> None:
        """Put a statement into the inbox, whole."""
        arriving = self._inbox / f"{name}.part"
        arriving.write_bytes(xml)
        arriving.rename(arriving.with_suffix(".xml"))


def _one(element: Element, path: str) -> Element:
    found = element.find(path)
    if found is None:
        raise OrderRefused(f"<{element.tag}> has no {path}")
    return found


def _text(element: Element, path: str) -> str:
    return (_one(element, path).text or "").strip()
