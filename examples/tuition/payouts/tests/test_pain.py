from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payouts import pain
from payouts.accounts import own_account
from payouts.money import from_minor
from payouts.pain import NAMESPACE, Order

MADE = datetime(2026, 11, 2, 9, tzinfo=UTC)
N = f"{{{NAMESPACE}}}"

# What each element may have in it, in order: of pain.001.001.09's schema, what is written here.
# A name with "?" may be missing, with "+" may come again; "|" is a choice.
SCHEMA = {
    "Document": ["CstmrCdtTrfInitn"],
    "CstmrCdtTrfInitn": ["GrpHdr", "PmtInf+"],
    "GrpHdr": ["MsgId", "CreDtTm", "NbOfTxs", "CtrlSum?", "InitgPty"],
    "InitgPty": ["Nm?"],
    "PmtInf": [
        *("PmtInfId", "PmtMtd", "BtchBookg?", "NbOfTxs?", "CtrlSum?", "PmtTpInf?", "ReqdExctnDt"),
        *("Dbtr", "DbtrAcct", "DbtrAgt", "UltmtDbtr?", "ChrgBr?", "CdtTrfTxInf+"),
    ],
    "ReqdExctnDt": ["Dt|DtTm"],
    "Dbtr": ["Nm?"],
    "DbtrAcct": ["Id", "Ccy?"],
    "DbtrAgt": ["FinInstnId"],
    "FinInstnId": ["BICFI?", "ClrSysMmbId?"],
    "ClrSysMmbId": ["ClrSysId?", "MmbId"],
    "CdtTrfTxInf": ["PmtId", "PmtTpInf?", "Amt", "CdtrAgt?", "Cdtr?", "CdtrAcct?", "RmtInf?"],
    "PmtId": ["InstrId?", "EndToEndId"],
    "Amt": ["InstdAmt|EqvtAmt"],
    "CdtrAgt": ["FinInstnId"],
    "Cdtr": ["Nm?"],
    "CdtrAcct": ["Id"],
    "Id": ["IBAN|Othr"],
    "Othr": ["Id"],
    "RmtInf": ["Ustrd?"],
}
LONGEST = {"MsgId": 35, "PmtInfId": 35, "EndToEndId": 35, "Nm": 140, "Ustrd": 140, "MmbId": 35}


def validate(element: Element, inside: str = "") -> None:
    """Whether children are those that the schema has, in its order."""
    name = element.tag.removeprefix(N)
    assert element.tag == N + name
    names = [child.tag.removeprefix(N) for child in element]
    if not names:
        assert (element.text or "").strip(), f"{name} is empty"
        assert len(element.text or "") <= LONGEST.get(name, 1000)
        return
    assert not (name == "Id" and inside == "Othr")
    place = 0
    for rule in SCHEMA[name]:
        choice = rule.rstrip("?+").split("|")
        found = 0
        while place < len(names) and names[place] in choice:
            place, found = place + 1, found + 1
        assert found >= (0 if rule.endswith("?") else 1), f"{name} has no {rule}"
        assert found <= (10**6 if rule.endswith("+") else 1), f"{name} has {found} {rule}"
    assert place == len(names), f"{name} has {names[place]} where none may be"
    for child in element:
        validate(child, name)


def order(
    number: int = 0, school: str = "s1", amount: str = "10.00", scheme: str = "iban"
) -> Order:
    return Order(
        pain.end_to_end_of(str(UUID(int=number))),
        school,
        f"School <{school}> & Söhne",
        scheme,
        "DE89370400440532013000",
        "COBADEFFXXX",
        Decimal(amount),
        "RF18539007547034 Deniz Kaya",
    )


def read(orders: list[Order], currency: str = "EUR") -> Element:
    root = fromstring(pain.file("EUR-261102-1", orders, own_account(currency), MADE))
    validate(root)
    return root


def text(element: Element, path: str) -> str:
    found = element.find("/".join(N + part for part in path.split("/")))
    assert found is not None, path
    return found.text or ""


def test_a_file_has_a_block_for_each_school() -> None:
    root = read([order(1, "s2"), order(2, "s1", "5.50"), order(3, "s2", "0.01")])
    header = "CstmrCdtTrfInitn/GrpHdr"
    assert text(root, f"{header}/MsgId") == "EUR-261102-1"
    assert (text(root, f"{header}/NbOfTxs"), text(root, f"{header}/CtrlSum")) == ("3", "15.51")
    blocks = list(root.iter(N + "PmtInf"))
    assert [(text(b, "NbOfTxs"), text(b, "CtrlSum")) for b in blocks] == [
        ("1", "5.50"),
        ("2", "10.01"),
    ]
    assert {text(b, "DbtrAcct/Id/IBAN") for b in blocks} == {own_account("EUR").iban}
    assert len({text(b, "PmtInfId") for b in blocks}) == 2


def test_an_account_without_an_iban() -> None:
    (transfer,) = read([order(1, scheme="aba")]).iter(N + "CdtTrfTxInf")
    assert text(transfer, "CdtrAcct/Id/Othr/Id") == "DE89370400440532013000"
    assert text(transfer, "CdtrAgt/FinInstnId/ClrSysMmbId/MmbId") == "COBADEFFXXX"


def test_the_same_batch_is_the_same_file() -> None:
    orders = [order(n, f"s{n % 3}") for n in range(9)]
    files = {pain.file("B", some, own_account("EUR"), MADE) for some in (orders, orders[::-1])}
    assert len(files) == 1


@given(st.uuids())
def test_a_payments_id_goes_there_and_comes_back(id: UUID) -> None:
    carried = pain.end_to_end_of(str(id))
    assert len(carried) <= 35
    assert pain.payment_of(carried) == str(id)


@pytest.mark.parametrize("other", ["", "NOTPROVIDED", "A" * 32, "0" * 31, "0" * 33])
def test_what_is_no_order_of_ours(other: str) -> None:
    assert pain.payment_of(other) is None


@given(
    st.lists(
        st.tuples(st.integers(1, 10**12), st.integers(0, 4), st.sampled_from(["iban", "aba"])),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_the_sums_are_those_of_the_parts(found: list[tuple[int, int, str]], currency: str) -> None:
    orders = [
        order(n, f"s{school}", str(from_minor(units, currency)), scheme)
        for n, (units, school, scheme) in enumerate(found)
    ]
    root = read(orders, currency)
    total = from_minor(sum(units for units, _, _ in found), currency)
    header = "CstmrCdtTrfInitn/GrpHdr"
    assert Decimal(text(root, f"{header}/CtrlSum")) == total
    assert int(text(root, f"{header}/NbOfTxs")) == len(found)
    blocks = list(root.iter(N + "PmtInf"))
    assert sum(Decimal(text(block, "CtrlSum")) for block in blocks) == total
    assert sum(int(text(block, "NbOfTxs")) for block in blocks) == len(found)
    assert len(blocks) == len({school for _, school, _ in found})
    amounts = list(root.iter(N + "InstdAmt"))
    assert {amount.get("Ccy") for amount in amounts} == {currency}
    assert sum(Decimal(amount.text or "") for amount in amounts) == total
    ids = [id.text for id in root.iter(N + "EndToEndId")]
    assert len(set(ids)) == len(ids) == len(found)
