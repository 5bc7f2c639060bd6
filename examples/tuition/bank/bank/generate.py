"""Statements as a bank would send them, for demonstrations and tests.

The noise is what payers do: see ``Noise``.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring

from msgspec import Struct

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."


class Noise(StrEnum):
    """What happens to a reference on its way from a screen into a bank transfer."""

    NONE = "none"
    STRUCTURED = "structured"
    SPACES = "spaces"
    LOWER_CASE = "lower case"
    WORDS_AROUND = "words around"
    NO_PREFIX = "no prefix"
    WRONG_DIGIT = "wrong digit"
    MISSING = "missing"


class Payout(Struct, frozen=True):
    """Money on its way from the account, as it was ordered.

    Attributes:
        end_to_end: what the order called it.
        bank_reference: the servicing bank's own number of the transfer.
    """

    end_to_end: str
    amount: Decimal
    receiver: str
    bank_reference: str


class Payin(Struct, frozen=True):
    """Money on its way to the account.

    Attributes:
        bank_reference: the servicing bank's own number of the transfer.
    """

    reference: str
    amount: Decimal
    sender: str
    bank_reference: str
    noise: Noise = Noise.NONE


def written(payin: Payin) -> str:
    """What arrives in the remittance information."""
    ref = payin.reference
    grouped = " ".join(ref[i : i + 4] for i in range(0, len(ref), 4))
    match payin.noise:
        case Noise.SPACES:
            return grouped
        case Noise.LOWER_CASE:
            return ref.lower()
        case Noise.WORDS_AROUND:
            return f"Tuition fee, ref.: {grouped} / {payin.sender}"
        case Noise.NO_PREFIX:
            return ref.removeprefix("RF")
        case Noise.WRONG_DIGIT:
            return ref[:-1] + str((int(ref[-1]) + 1) % 10)
        case Noise.MISSING:
            return "tuition"
    return ref


def statement(
    transfers: Sequence[Payin | Payout],
    *,
    account: str,
    currency: str,
    number: int,
    day: date,
    opening: Decimal = Decimal(0),
    version: str = "08",
) -> bytes:
    """One day's statement of one account, as a camt.053 file.

    Args:
        account: its IBAN.
        number: of the statement; banks count them.
        opening: the balance in the morning.
        version: ``02`` or ``08`` of the message.
    """
    register_namespace("", NAMESPACE + version)
    document = Element(f"{{{NAMESPACE}{version}}}Document")
    message = _add(document, "BkToCstmrStmt")
    made = datetime.combine(day, datetime.min.time(), UTC).replace(hour=23).isoformat()
    header = _add(message, "GrpHdr")
    _add(header, "MsgId", f"MSG-{currency}-{day:%Y%m%d}-{number}")
    _add(header, "CreDtTm", made)
    element = _add(message, "Stmt")
    _add(element, "Id", f"{currency}-{day:%Y%m%d}-{number}")
    _add(element, "ElctrncSeqNb", str(number))
    _add(element, "CreDtTm", made)
    holder = _add(element, "Acct")
    _add(_add(holder, "Id"), "IBAN", account)
    _add(holder, "Ccy", currency)
    closing = opening + sum(
        (each.amount if isinstance(each, Payin) else -each.amount for each in transfers), Decimal(0)
    )
    for code, amount in (("OPBD", opening), ("CLBD", closing)):
        _balance(element, code, amount, currency, day)
    for each in transfers:
        _entry(element, each, currency, day, version)
    indent(document)
    xml: bytes = tostring(document, encoding="utf-8", xml_declaration=True)
    return xml


def noisy(chance: random.Random, payins: Iterable[Payin], *, percent: int = 50) -> list[Payin]:
    """The same transfers, some of them written as people write; none beyond recognition."""
    kinds = [n for n in Noise if n not in (Noise.NONE, Noise.WRONG_DIGIT, Noise.MISSING)]
    return [
        Payin(p.reference, p.amount, p.sender, p.bank_reference, chance.choice(kinds))
        if chance.randrange(100) < percent
        else p
        for p in payins
    ]


def _balance(parent: Element, code: str, amount: Decimal, currency: str, day: date) -> None:
    balance = _add(parent, "Bal")
    _add(_add(_add(balance, "Tp"), "CdOrPrtry"), "Cd", code)
    _amount(balance, abs(amount), currency)
    _add(balance, "CdtDbtInd", "CRDT" if amount >= 0 else "DBIT")
    _add(_add(balance, "Dt"), "Dt", day.isoformat())


def _entry(parent: Element, each: Payin | Payout, currency: str, day: date, version: str) -> None:
    coming = isinstance(each, Payin)
    entry = _add(parent, "Ntry")
    _amount(entry, each.amount, currency)
    _add(entry, "CdtDbtInd", "CRDT" if coming else "DBIT")
    status = _add(entry, "Sts", "BOOK" if version == "02" else None)
    if version != "02":
        _add(status, "Cd", "BOOK")
    for name in ("BookgDt", "ValDt"):
        _add(_add(entry, name), "Dt", day.isoformat())
    _add(entry, "AcctSvcrRef", each.bank_reference)
    domain = _add(_add(entry, "BkTxCd"), "Domn")
    _add(domain, "Cd", "PMNT")
    family = _add(domain, "Fmly")
    _add(family, "Cd", "RCDT" if coming else "ICDT")
    _add(family, "SubFmlyCd", "ESCT")
    details = _add(_add(entry, "NtryDtls"), "TxDtls")
    if isinstance(each, Payin):
        end_to_end, name = "NOTPROVIDED", each.sender
    else:
        end_to_end, name = each.end_to_end, each.receiver
    _add(_add(details, "Refs"), "EndToEndId", end_to_end)
    party = _add(_add(details, "RltdPties"), "Dbtr" if coming else "Cdtr")
    _add(party if version == "02" else _add(party, "Pty"), "Nm", name)
    if isinstance(each, Payin):
        _remittance(details, each)


def _remittance(details: Element, payin: Payin) -> None:
    remittance = _add(details, "RmtInf")
    if payin.noise is Noise.STRUCTURED:
        information = _add(_add(remittance, "Strd"), "CdtrRefInf")
        _add(_add(_add(information, "Tp"), "CdOrPrtry"), "Cd", "SCOR")
        _add(information, "Ref", payin.reference)
    else:
        _add(remittance, "Ustrd", written(payin))


def _amount(parent: Element, amount: Decimal, currency: str) -> None:
    _add(parent, "Amt", f"{amount:f}").set("Ccy", currency)


def _add(parent: Element, name: str, text: str | None = None) -> Element:
    namespace = parent.tag.partition("}")[0]
    child = SubElement(parent, f"{namespace}}}{name}")
    child.text = text
    return child
