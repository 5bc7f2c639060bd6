"""What a journey is before it runs, and what cannot be one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest

from skerry import ConfigError, DynamicClient, Http, Run, journey
from skerry.clients.runtime import Client
from skerry.journeys.arguments import needs_of


class Quotes(Client):
    __app__ = "quotes"


@dataclass
class Payer:
    email: str


def test_it_is_what_its_function_and_its_decorator_say() -> None:
    @journey(every="1m30s", within=5, owner="payments")
    async def pay(quotes: Quotes, http: Http, run: Run, payer: Payer) -> None:
        """Pays.

        More of it.
        """

    assert (pay.name, pay.every, pay.within, pay.owner) == ("pay", 90.0, 5, "payments")
    assert pay.summary == "Pays."
    assert Path(pay.file) == Path(__file__)
    assert [(need.name, need.kind, need.app) for need in pay.needs] == [
        ("quotes", "client", "quotes"),
        ("http", "http", ""),
        ("run", "run", ""),
        ("payer", "settings", ""),
    ]


async def test_called_it_is_its_function() -> None:
    seen = []

    @journey
    async def pay(quotes: Any) -> None:
        seen.append(quotes)

    await pay("a fake")
    assert seen == ["a fake"]
    assert (pay.every, pay.within) == (None, 30.0)


def test_a_client_without_a_file_is_of_the_app_it_is_named_after() -> None:
    async def pay(
        bank_rates: DynamicClient, base: Client, other: Annotated[DynamicClient, "quotes"]
    ) -> None: ...

    assert [need.app for need in needs_of(pay)] == ["bank-rates", "base", "quotes"]


def plain() -> None: ...


async def untyped(x) -> None: ...  # type: ignore[no-untyped-def]


async def number(count: int) -> None: ...


async def listed(quotes: list[Quotes]) -> None: ...


async def stars(*quotes: Quotes) -> None: ...


async def unknown(quotes: Quotess) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (untyped, "'x' needs an annotation"),
        (number, "nothing provides 'count': int; a journey is given clients"),
        (listed, r"nothing provides 'quotes': list\[.*Quotes\]"),
        (stars, r"takes no \*quotes"),
        (unknown, "cannot read its annotations: name 'Quotess' is not defined"),
    ],
)
def test_arguments_that_nothing_provides(function: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        _ = journey(function).needs
    assert f"{function.__name__} (test_declare.py:" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"every": "often"}, "'often' is no interval"),
        ({"within": 0}, "within is in seconds, above 0"),
        ({"within": float("inf")}, "within is in seconds, above 0"),
        ({"name": "a/b"}, "a journey's name is letters"),
        ({"name": "../x"}, "a journey's name is letters"),
    ],
)
def test_what_it_cannot_be_told(options: Any, said: str) -> None:
    async def pay() -> None: ...

    with pytest.raises(ConfigError, match=said):
        journey(**options)(pay)


def test_a_plain_function_is_none() -> None:
    with pytest.raises(ConfigError, match="a journey is an async def"):
        journey(plain)  # type: ignore[call-overload]


def test_playwright_is_known_by_name_and_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    page = type("Page", (), {"__module__": "playwright.async_api._generated"})

    async def look(page: page) -> None: ...  # type: ignore[valid-type]

    for name in [name for name in sys.modules if name.partition(".")[0] == "playwright"]:
        monkeypatch.delitem(sys.modules, name)
    (need,) = needs_of(look, {"page": page})
    assert need.kind == "browser"
    assert "playwright" not in sys.modules
