"""Bank statements as banks send them: ISO 20022 ``camt.053``, versions 02 and 08.

Read is what a payments company needs: the account, the balances, every booked entry and what it
says about where it came from. A statement whose entries do not lead from its opening to its
closing balance is refused whole: part of it is missing.

An entry may stand for many transactions that the bank booked as one sum; each is a transfer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from uuid import NAMESPACE_URL, UUID, uuid5
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from msgspec import Struct

from bank.money import NotAnAmount, to_minor

NAMESPACES = tuple(f"urn:iso:std:iso:20022:tech:xsd:camt.053.001.{v}" for v in ("02", "08"))
# 18 digits in all, 5 of them decimals, and no sign: that is CdtDbtInd's to say.
_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,5})?|[0-9]{1,18}")

OPENING, CLOSING = ("OPBD", "PRCD"), ("CLBD",)


class NotAStatement(ValueError):
    """The file is not a statement that can be trusted; says why."""


class Entry(Struct, frozen=True):
    """One transfer in or out.

    Attributes:
        id: the same in every statement that lists it.
        units: minor units; positive has come, negative has gone.
        remittance: what the sender wrote for the receiver, structured references first.
        end_to_end: the sender's own reference; empty if not given.
        party: who is at the other end, as far as the bank says.
    """

    id: UUID
    units: int
    booked: date
    servicer_reference: str
    remittance: tuple[str, ...]
    end_to_end: str
    party: str


class Statement(Struct, frozen=True):
    """One account's statement.

    Attributes:
        account: its IBAN, or its number where there are no IBANs.
        entries: only what is booked; what is announced or pending may never come.
    """

    id: str
    account: str
    currency: str
    created: datetime
    opening: int
    closing: int
    entries: tuple[Entry, ...]


def read(xml: bytes) -> list[Statement]:
    """The statements in a file.

    Raises:
        NotAStatement: not XML, not camt.053, something is missing, or it does not add up.
    """
    try:
        root = fromstring(xml, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise NotAStatement(f"this is not XML that can be read safely: {error}") from None
    namespace, _, name = root.tag[1:].partition("}") if root.tag[:1] == "{" else ("", "", "")
    if namespace not in NAMESPACES or name != "Document":
        raise NotAStatement(f"this is not camt.053 of version 02 or 08 but {root.tag!r}")
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{namespace}}}")
    found = [_statement(element) for element in root.iterfind("BkToCstmrStmt/Stmt")]
    if not found:
        raise NotAStatement("there is no statement in this file")
    return found


def _statement(element: Element) -> Statement:
    account = _text(element, "Acct/Id/IBAN", "") or _text(element, "Acct/Id/Othr/Id")
    balances = list(element.iterfind("Bal"))
    opening = _balance(balances, OPENING)
    closing = _balance(balances, CLOSING)
    currency = _text(element, "Acct/Ccy", "") or _currency(closing)
    entries = [
        transfer
        for position, entry in enumerate(element.iterfind("Ntry"))
        if (_text(entry, "Sts/Cd", "") or _text(entry, "Sts")) == "BOOK"
        for transfer in _transfers(entry, account, currency, position)
    ]
    statement = Statement(
        id=_short(_text(element, "Id"), 35),
        account=_short(account.replace(" ", ""), 34),
        currency=currency,
        created=_moment(_text(element, "CreDtTm")),
        opening=_signed(opening, currency),
        closing=_signed(closing, currency),
        entries=tuple(entries),
    )
    missing = statement.closing - statement.opening - sum(e.units for e in statement.entries)
    if missing:
        raise NotAStatement(
            f"statement {statement.id}: the entries do not lead from the opening to the closing "
            f"balance; {missing} of the smallest unit of {currency} are missing"
        )
    return statement


def _transfers(entry: Element, account: str, currency: str, position: int) -> Iterator[Entry]:
    total = _signed(entry, currency)
    booked = _day(entry.find("BookgDt"))
    servicer = _text(entry, "AcctSvcrRef", "")
    details = entry.findall("NtryDtls/TxDtls") or [entry]
    batch = len(details) > 1
    left = total
    for index, detail in enumerate(details):
        units = _signed(detail, currency, sign_of=entry) if batch else total
        left -= units
        own = _text(detail, "Refs/AcctSvcrRef", "") or servicer
        # Without the bank's reference, the day and place on the statement have to do.
        known = own or f"{booked}/{position}/{units}"
        yield Entry(
            id=uuid5(NAMESPACE_URL, f"camt:{account}:{known}:{index if batch else 0}"),
            units=units,
            booked=booked,
            servicer_reference=own,
            remittance=tuple(_remittance(detail)),
            end_to_end=_text(detail, "Refs/EndToEndId", "").replace("NOTPROVIDED", ""),
            party=_party(detail, "Dbtr" if units > 0 else "Cdtr"),
        )
    if batch and left:
        raise NotAStatement(f"entry {servicer or position}: its transactions are not its sum")


def _remittance(detail: Element) -> Iterator[str]:
    for path in ("RmtInf/Strd/CdtrRefInf/Ref", "RmtInf/Ustrd"):
        for element in detail.iterfind(path):
            if element.text and element.text.strip():
                yield element.text.strip()


def _short(text: str, longest: int) -> str:
    if len(text) > longest:
        raise NotAStatement(f"{text[:40]!r}… is longer than the {longest} letters it may have")
    return text


def _party(detail: Element, role: str) -> str:
    """Version 02 names the debtor directly, version 08 within ``Pty``."""
    parties = f"RltdPties/{role}"
    return (_text(detail, f"{parties}/Pty/Nm", "") or _text(detail, f"{parties}/Nm", ""))[:140]


def _balance(balances: list[Element], codes: tuple[str, ...]) -> Element:
    for balance in balances:
        if _text(balance, "Tp/CdOrPrtry/Cd", "") in codes:
            return balance
    raise NotAStatement(f"there is no balance of kind {' or '.join(codes)}")


def _signed(element: Element, currency: str, sign_of: Element | None = None) -> int:
    amount = element.find("Amt")
    if amount is None:
        amount = element.find("AmtDtls/TxAmt/Amt")
    if amount is None:
        raise NotAStatement(f"<{element.tag}> has no amount")
    if amount.get("Ccy") != currency:
        raise NotAStatement(f"an amount is in {amount.get('Ccy')}, the account in {currency}")
    text = (amount.text or "").strip()
    if not _AMOUNT.fullmatch(text):
        raise NotAStatement(f"{text[:40]!r} is not an amount")
    try:
        units = to_minor(Decimal(text), currency)
    except NotAnAmount as error:
        raise NotAStatement(str(error)) from None
    sign = _text(element, "CdtDbtInd", "") or _text(
        sign_of if sign_of is not None else element, "CdtDbtInd"
    )
    if sign not in ("CRDT", "DBIT"):
        raise NotAStatement(f"{sign!r} is neither CRDT nor DBIT")
    return units if sign == "CRDT" else -units


def _currency(balance: Element) -> str:
    amount = balance.find("Amt")
    return amount.get("Ccy", "") if amount is not None else ""


def _day(element: Element | None) -> date:
    if element is None:
        raise NotAStatement("an entry has no booking date")
    text = _text(element, "Dt", "") or _text(element, "DtTm")
    return _moment(text).date()


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise NotAStatement(f"{text!r} is not a date") from None


def _text(element: Element, path: str, default: str | None = None) -> str:
    found = element.find(path)
    text = (found.text or "").strip() if found is not None else ""
    if text:
        return text
    if default is None:
        raise NotAStatement(f"<{element.tag}> has no {path}")
    return default
