"""Addresses in environment variables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.core.errors import ConfigError
from skerry.spec import escape, substitute, url_variable

THERE = {
    "quotes": "http://127.0.0.1:8001",
    "database": "postgresql://skerry:p%40ss@127.0.0.1:5433/portal",
    "stripe": "https://api.stripe.example/v1",
    "a-b": "redis://[::1]/0",
}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{quotes.url}/v1", "http://127.0.0.1:8001/v1"),
        ("{quotes.host}:{quotes.port}", "127.0.0.1:8001"),
        ("{database.user}/{database.password}/{database.database}", "skerry/p@ss/portal"),
        ("{stripe.port}{stripe.user}", "443"),
        ("{a-b.host} {a-b.port}", "::1 6379"),
        ('{"a": {"b": "{quotes.port}"}}', '{"a": {"b": "8001"}}'),
        ("{level.name} {x} {} {.} {quotes}", "{level.name} {x} {} {.} {quotes}"),
        ("{{quotes.url}}", "{quotes.url}"),
        ("{{quotes.port}", "{8001"),
    ],
)
def test_substitute(text: str, result: str) -> None:
    assert substitute(text, THERE) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{nobody.url}", r"\{nobody\.url\}: nobody has no address"),
        ("{quotes.ulr}", r"no such part \(there are url, host,"),
    ],
)
def test_what_nobody_can_fill_in(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        substitute(text, THERE)


@given(st.text() | st.text("{}.quotesurlx"))
def test_what_is_escaped_comes_back(text: str) -> None:
    assert substitute(escape(text, THERE), THERE) == text


def test_variables() -> None:
    assert url_variable("money-flow") == "MONEY_FLOW_URL"
