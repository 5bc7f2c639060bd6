from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from bank import camt
from bank.camt import NotAStatement
from bank.generate import Noise, Payin, Payout, statement
from bank.money import from_minor
from hypothesis import given
from hypothesis import strategies as st

ACCOUNT = "DE89370400440532013000"
DAY = date(2026, 11, 2)
ONE = Payin("RF18539007547034", Decimal("12.30"), "Aylin Kaya", "2026110200001")


def make(
    *payins: Payin | Payout, version: str = "08", currency: str = "EUR", opening: str = "0"
) -> str:
    return statement(
        payins or [ONE],
        account=ACCOUNT,
        currency=currency,
        number=7,
        day=DAY,
        opening=Decimal(opening),
        version=version,
    ).decode()


@pytest.mark.parametrize("version", ["02", "08"])
def test_both_versions_say_the_same(version: str) -> None:
    (found,) = camt.read(make(version=version, opening="-100.00").encode())
    assert (found.account, found.currency, found.id) == (ACCOUNT, "EUR", "EUR-20261102-7")
    assert (found.opening, found.closing) == (-10_000, -8_770)
    (entry,) = found.entries
    assert (entry.units, entry.booked) == (1230, DAY)
    assert entry.remittance == ("RF18539007547034",)
    assert entry.party == "Aylin Kaya"
    assert entry.servicer_reference == "2026110200001"
    assert entry.end_to_end == ""


def test_a_structured_reference_is_read() -> None:
    payin = Payin(ONE.reference, ONE.amount, ONE.sender, "1", Noise.STRUCTURED)
    (found,) = camt.read(make(payin).encode())
    assert found.entries[0].remittance == (ONE.reference,)


def test_an_entry_is_the_same_in_every_statement_that_lists_it() -> None:
    other = Payin("x", Decimal(5), "Someone", "2026110200002")
    (first,) = camt.read(make(ONE, other).encode())
    (second,) = camt.read(make(other, version="02").encode())
    assert first.entries[1].id == second.entries[0].id
    assert first.entries[0].id != first.entries[1].id


BATCH = """
      <NtryDtls><Btch><NbOfTxs>2</NbOfTxs></Btch>
        <TxDtls><Amt Ccy="EUR">2.30</Amt><RmtInf><Ustrd>one</Ustrd></RmtInf></TxDtls>
        <TxDtls><AmtDtls><TxAmt><Amt Ccy="EUR">10.00</Amt></TxAmt></AmtDtls>
          <Refs><EndToEndId>two</EndToEndId></Refs></TxDtls>
      </NtryDtls>
"""


def with_batch(text: str) -> str:
    xml = make()
    start, end = xml.index("<NtryDtls>"), xml.index("</NtryDtls>") + len("</NtryDtls>")
    return xml[:start] + text + xml[end:]


def test_one_booking_of_many_transfers() -> None:
    (found,) = camt.read(with_batch(BATCH).encode())
    assert [(e.units, e.remittance, e.end_to_end) for e in found.entries] == [
        (230, ("one",), ""),
        (1000, (), "two"),
    ]
    assert len({e.id for e in found.entries}) == 2
    with pytest.raises(NotAStatement, match="not its sum"):
        camt.read(with_batch(BATCH.replace("2.30", "2.31")).encode())


def test_what_is_only_announced_is_left_out() -> None:
    xml = make(ONE, Payin("x", Decimal(1), "", "2", Noise.NONE))
    last = xml.rindex("BOOK")
    pending = xml[:last] + "PDNG" + xml[last + 4 :]
    with pytest.raises(NotAStatement, match="do not lead"):
        camt.read(pending.encode())
    (found,) = camt.read(pending.replace("13.30", "12.30").encode())
    assert [entry.units for entry in found.entries] == [1230]


def test_money_that_leaves_is_negative() -> None:
    xml = make().replace("CRDT", "DBIT")
    (found,) = camt.read(xml.encode())
    assert [entry.units for entry in found.entries] == [-1230]
    assert found.closing == -1230


def test_a_missing_entry_is_noticed() -> None:
    with pytest.raises(NotAStatement, match="100 of the smallest unit of EUR"):
        camt.read(
            make().replace('<Amt Ccy="EUR">12.30</Amt>', '<Amt Ccy="EUR">13.30</Amt>', 1).encode()
        )


def test_an_account_without_an_iban() -> None:
    xml = make().replace(f"<IBAN>{ACCOUNT}</IBAN>", "<Othr><Id>0532013000</Id></Othr>")
    assert camt.read(xml.encode())[0].account == "0532013000"


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">&b;</Document>'
)
OUTSIDE = (
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">&e;</Document>'
)


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ("", "not XML"),
        ("<a>", "not XML"),
        ("{}", "not XML"),
        (BOMB, "not XML that can be read safely"),
        (OUTSIDE, "not XML that can be read safely"),
        ('<?xml version="1.0" encoding="nonsense"?><a/>', "not XML"),
        ("<a/>", "not camt.053"),
        (make().replace("camt.053.001.08", "camt.052.001.08"), "not camt.053"),
        (make().replace("Stmt>", "Rpt>"), "no statement"),
        (make().replace("OPBD", "ITBD"), "no balance"),
        (make().replace('<Amt Ccy="EUR">12.30', '<Amt Ccy="EUR">12,30'), "not an amount"),
        (make().replace('<Amt Ccy="EUR">12.30', '<Amt Ccy="EUR">1e999999'), "not an amount"),
        (make().replace('<Amt Ccy="EUR">12.30', '<Amt Ccy="EUR">-12.30'), "not an amount"),
        (make().replace('<Amt Ccy="EUR">12.30', '<Amt Ccy="EUR">12.301'), "decimals"),
        (make().replace('<Amt Ccy="EUR">12.30', '<Amt Ccy="USD">12.30', 2), "account in"),
        (make().replace("CRDT", "MAYBE"), "neither"),
        (make().replace("2026-11-02</Dt>", "2.11.2026</Dt>"), "not a date"),
        (make().replace("<BookgDt>", "<Other>").replace("</BookgDt>", "</Other>"), "booking"),
        (make().replace("EUR-20261102-7", "x" * 36), "longer"),
    ],
)
def test_what_is_refused(xml: str, reason: str) -> None:
    with pytest.raises(NotAStatement, match=reason):
        camt.read(xml.encode())


AMOUNTS = st.lists(st.integers(1, 10**9), min_size=1, max_size=8)


@given(AMOUNTS, st.sampled_from(["EUR", "JPY", "KWD"]), st.sampled_from(["02", "08"]))
def test_what_was_written_is_read(units: list[int], currency: str, version: str) -> None:
    payins = [
        Payin("RF18539007547034", from_minor(n, currency), "Zoë <&> Ünal", f"B{i}")
        for i, n in enumerate(units)
    ]
    (found,) = camt.read(make(*payins, version=version, currency=currency).encode())
    assert [entry.units for entry in found.entries] == units
    assert found.closing - found.opening == sum(units)
    assert {entry.party for entry in found.entries} == {"Zoë <&> Ünal"}


@given(st.binary(max_size=300), st.integers(0, 1_000), st.integers(0, 300))
def test_broken_files_are_refused_and_nothing_worse(junk: bytes, place: int, cut: int) -> None:
    xml = make().encode()
    try:
        camt.read(xml[:place] + junk + xml[place + cut :])
    except NotAStatement:
        pass


@given(
    st.lists(st.integers(-(10**9), 10**9).filter(bool), min_size=1, max_size=8),
    st.sampled_from(["EUR", "JPY", "KWD"]),
    st.sampled_from(["02", "08"]),
)
def test_what_goes_is_read_beside_what_comes(units: list[int], currency: str, version: str) -> None:
    each = [
        Payin("RF18539007547034", from_minor(n, currency), "Aylin", f"B{i}")
        if n > 0
        else Payout(f"order{i}", from_minor(-n, currency), "Tuscia", f"B{i}")
        for i, n in enumerate(units)
    ]
    (found,) = camt.read(make(*each, version=version, currency=currency).encode())
    assert [entry.units for entry in found.entries] == units
    assert [entry.end_to_end for entry in found.entries] == [
        "" if n > 0 else f"order{i}" for i, n in enumerate(units)
    ]
    assert {entry.party for entry in found.entries} <= {"Aylin", "Tuscia"}
