"""Orders to the bank: ISO 20022 ``pain.001.001.09``, one file for each currency.

Within a file there is one ``PmtInf`` for each school, with all that it is owed. A bank refuses a
file whose sums (``CtrlSum``) or numbers (``NbOfTxs``) are not those of its parts, and a ``MsgId``
that it has seen before: so a file may be handed over twice, and is carried out once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring

from msgspec import Struct

from payouts.accounts import Account

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
LONGEST_NAME = 140


class Order(Struct, frozen=True):
    """One transfer to a school.

    Attributes:
        scheme: ``iban``, or the national scheme that ``account`` and ``bank`` are written in.
        amount: with as many decimals as the currency has.
        remittance: what the school reads on its statement.
    """

    end_to_end: str
    school_id: str
    holder: str
    scheme: str
    account: str
    bank: str
    amount: Decimal
    remittance: str


def end_to_end_of(payment_id: str) -> str:
    """The payment's id as banks carry it: at most 35 characters, and a UUID has 36."""
    return payment_id.replace("-", "")


def payment_of(end_to_end: str) -> str | None:
    """The payment that an order was for; None if it is no order of ours."""
    if len(end_to_end) != 32 or not set(end_to_end) <= set("0123456789abcdef"):
        return None
    parts = (end_to_end[i:j] for i, j in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))
    return "-".join(parts)


def file(batch: str, orders: Sequence[Order], source: Account, made: datetime) -> bytes:
    """The file of one batch.

    Args:
        batch: its ``MsgId``: the same batch is the same file, byte for byte.
        source: the account that is debited; its currency is that of every order.
        made: when the batch was made.
    """
    register_namespace("", NAMESPACE)
    document = Element(f"{{{NAMESPACE}}}Document")
    message = _add(document, "CstmrCdtTrfInitn")
    header = _add(message, "GrpHdr")
    _add(header, "MsgId", batch)
    _add(header, "CreDtTm", made.isoformat(timespec="seconds"))
    _sums(header, orders)
    _add(_add(header, "InitgPty"), "Nm", source.holder)
    in_order = sorted(orders, key=lambda order: (order.school_id, order.end_to_end))
    for place, (_, found) in enumerate(groupby(in_order, lambda order: order.school_id), 1):
        _school(message, f"{batch}-{place}", list(found), source, made)
    indent(document)
    xml: bytes = tostring(document, encoding="utf-8", xml_declaration=True)
    return xml


def _school(
    message: Element, id: str, orders: Sequence[Order], source: Account, made: datetime
) -> None:
    block = _add(message, "PmtInf")
    _add(block, "PmtInfId", id)
    _add(block, "PmtMtd", "TRF")
    _sums(block, orders)
    _add(_add(block, "ReqdExctnDt"), "Dt", made.date().isoformat())
    _add(_add(block, "Dbtr"), "Nm", source.holder)
    account = _add(block, "DbtrAcct")
    _add(_add(account, "Id"), "IBAN", source.iban)
    _add(account, "Ccy", source.currency)
    _add(_add(_add(block, "DbtrAgt"), "FinInstnId"), "BICFI", source.bic)
    _add(block, "ChrgBr", "SHAR")
    for order in orders:
        _transfer(block, order, source.currency)


def _transfer(block: Element, order: Order, currency: str) -> None:
    transfer = _add(block, "CdtTrfTxInf")
    _add(_add(transfer, "PmtId"), "EndToEndId", order.end_to_end)
    amount = _add(_add(transfer, "Amt"), "InstdAmt", f"{order.amount:f}")
    amount.set("Ccy", currency)
    agent = _add(_add(transfer, "CdtrAgt"), "FinInstnId")
    by_iban = order.scheme == "iban"
    if by_iban:
        _add(agent, "BICFI", order.bank)
    else:
        _add(_add(agent, "ClrSysMmbId"), "MmbId", order.bank)
    _add(_add(transfer, "Cdtr"), "Nm", order.holder[:LONGEST_NAME])
    number = _add(_add(transfer, "CdtrAcct"), "Id")
    if by_iban:
        _add(number, "IBAN", order.account)
    else:
        _add(_add(number, "Othr"), "Id", order.account)
    _add(_add(transfer, "RmtInf"), "Ustrd", order.remittance[:LONGEST_NAME])


def _sums(parent: Element, orders: Iterable[Order]) -> None:
    amounts = [order.amount for order in orders]
    _add(parent, "NbOfTxs", str(len(amounts)))
    _add(parent, "CtrlSum", f"{sum(amounts, Decimal(0)):f}")


def _add(parent: Element, name: str, text: str | None = None) -> Element:
    child = SubElement(parent, f"{{{NAMESPACE}}}{name}")
    child.text = text
    return child
