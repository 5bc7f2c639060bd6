from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schools import store
from schools.models import fold

from skerry.data.database import Database


def test_pages_list_every_school_once_and_in_order(database: Database) -> None:
    with database.reading() as session:
        seen: list[str] = []
        page = store.search(session, limit=100)
        while True:
            seen += [school.id for school in page.schools]
            if page.next is None:
                break
            page = store.search(session, limit=100, after=store.read_cursor(page.next))
        everything = [school.id for school in store.search(session, limit=2_000).schools]
    assert seen == everything
    assert len(set(seen)) == len(seen) > 500


@pytest.mark.parametrize(
    ("words", "id"),
    [
        ("koc univ", "ku-edu-tr"),
        ("UNIVERSITAT vic", "uvic-es"),
        ("teacher graubunden", "ph-gr-ch"),
    ],
)
def test_search_forgives_case_accents_and_gaps(database: Database, words: str, id: str) -> None:
    with database.reading() as session:
        assert id in [school.id for school in store.search(session, words=words).schools]


def test_wildcards_are_letters(database: Database) -> None:
    with database.reading() as session:
        assert store.search(session, words="%").schools == []
        assert store.search(session, words="_").schools == []


def test_filters_hold_together(database: Database) -> None:
    with database.reading() as session:
        page = store.search(session, country="JP", currency="JPY", limit=50)
        assert page.schools
        assert {(s.country, s.currency) for s in page.schools} == {("JP", "JPY")}
        assert store.search(session, country="JP", currency="EUR").schools == []


def test_one_school_and_its_account(database: Database) -> None:
    with database.reading() as session:
        school = store.get(session, "ku-edu-tr")
        account = store.payout_account(session, "ku-edu-tr")
        assert store.get(session, "nowhere") is None
        assert store.payout_account(session, "nowhere") is None
    assert school is not None
    assert school.currency == "TRY"
    assert account is not None
    assert account.scheme == "iban"
    assert account.account.startswith("TR")


def test_currencies_count_their_schools(database: Database) -> None:
    with database.reading() as session:
        currencies = {currency.code: currency for currency in store.currencies(session)}
        assert sum(c.schools for c in currencies.values()) == len(
            store.search(session, limit=2_000).schools
        )
    assert currencies["JPY"].digits == 0
    assert currencies["EUR"].digits == 2
    assert currencies["EUR"].name == "Euro"


@given(st.tuples(st.text(st.characters(exclude_characters="\0")), st.text("abc-")))
def test_cursors_come_back(place: tuple[str, str]) -> None:
    try:
        place[0].encode()
    except UnicodeEncodeError:
        return
    assert store.read_cursor(store.write_cursor(place)) == place


@given(st.text())
def test_what_is_no_cursor_is_said_to_be_none(text: str) -> None:
    try:
        store.read_cursor(text)
    except ValueError:
        pass


def test_folding() -> None:
    assert fold("  Łódź  Ÿ Straße ") == "lodz y strasse"
