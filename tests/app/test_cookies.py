from __future__ import annotations

from http.cookies import SimpleCookie

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.app.cookies import parse_cookies

NAMES = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1)
# RFC 6265, 4.1.1: cookie-octet.
VALUES = st.text([chr(n) for n in range(0x21, 0x7F) if chr(n) not in '",;\\'])
COOKIES = st.dictionaries(NAMES, VALUES, max_size=5)


@pytest.mark.parametrize(
    ("field", "cookies"),
    [
        ("a=1; b=2", {"a": "1", "b": "2"}),
        ("a=1;b=2 ;\tc = 3", {"a": "1", "b": "2", "c": "3"}),
        ("a=b=c==", {"a": "b=c=="}),
        ("a=", {"a": ""}),
        ('a="x y"; b=""; c="', {"a": "x y", "b": "", "c": '"'}),
        (r'a="say \"hi\"\073 \303\251"', {"a": 'say "hi"; \xc3\xa9'}),
        (r"a=\073", {"a": r"\073"}),
        ("a=1; a=2", {"a": "1"}),
        ("a[0]=1; {x}=2; b:c=3; d/e=4", {"a[0]": "1", "{x}": "2", "b:c": "3", "d/e": "4"}),
        ('a={"b":1,"c":[2]}', {"a": '{"b":1,"c":[2]}'}),
        ("a=é; ü=2", {"a": "é", "ü": "2"}),
        ("; ;; =x; lonely; a=1;", {"a": "1"}),
        ("$Version=1; a=1", {"$Version": "1", "a": "1"}),
        ("", {}),
    ],
)
def test_cookies(field: str, cookies: dict[str, str]) -> None:
    assert parse_cookies([field]) == cookies


def test_every_field_counts_and_the_first_of_a_name() -> None:
    assert parse_cookies(["a=1; b=2", "b=3; c=4"]) == {"a": "1", "b": "2", "c": "4"}
    assert parse_cookies([]) == {}


@given(COOKIES)
def test_what_is_well_formed_comes_back(cookies: dict[str, str]) -> None:
    field = "; ".join(f"{name}={value}" for name, value in cookies.items())
    assert parse_cookies([field]) == cookies


@given(COOKIES, st.text())
def test_what_is_malformed_costs_only_itself(cookies: dict[str, str], junk: str) -> None:
    field = "; ".join(f"{name}={value}" for name, value in cookies.items())
    assert parse_cookies([f"{field};{junk}"]).items() >= cookies.items()
    assert not parse_cookies([junk]).keys() & {""}


@given(st.text([chr(n) for n in range(0x20, 0x100)]))
def test_what_the_standard_library_quotes_is_unquoted(value: str) -> None:
    written = SimpleCookie({"a": value}).output(header="", sep="").strip()
    assert parse_cookies([written]) == {"a": value}
