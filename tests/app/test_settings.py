from __future__ import annotations

import dataclasses
import pickle
from decimal import Decimal
from typing import Annotated, NewType

import pytest
from annotated_types import Gt
from msgspec import Struct

from skerry.app import App
from skerry.app.settings import Secret, load
from skerry.app.testclient import TestClient
from skerry.core.errors import ConfigError


class Settings(Struct):
    api_key: Secret[str]
    fee: Annotated[Decimal, Gt(0)]
    currencies: list[str] = []
    retries: int = 3
    debug: bool = False


@dataclasses.dataclass
class Other:
    url: str
    limit: int = 5
    names: list[str] = dataclasses.field(default_factory=list)


Name = NewType("Name", str)
GOOD = {"API_KEY": "hunter2", "FEE": "0.015", "CURRENCIES": "EUR, USD", "DEBUG": "true"}


def test_fields_come_from_the_environment_typed() -> None:
    found = load(Settings, GOOD)
    assert found.api_key.reveal() == "hunter2"
    assert (found.fee, found.currencies, found.retries, found.debug) == (
        Decimal("0.015"),
        ["EUR", "USD"],
        3,
        True,
    )
    assert load(Other, {"APP_URL": "x"}, prefix="app_") == Other("x", 5, [])
    assert load(Settings, {**GOOD, "CURRENCIES": ""}).currencies == []


def test_everything_wrong_is_told_at_once_and_no_secret_with_it() -> None:
    with pytest.raises(ConfigError) as error:
        load(Settings, {"FEE": "-1", "RETRIES": "many"})
    said = str(error.value)
    assert "API_KEY is not set" in said
    assert "FEE" in said and "RETRIES" in said

    class Pin(Struct):
        pin: Secret[int]

    with pytest.raises(ConfigError) as error:
        load(Pin, {"PIN": "12x4"})
    assert "12x4" not in str(error.value)


def test_a_secret_does_not_print() -> None:
    secret = Secret("hunter2")
    shown = f"{secret} {secret!r} {secret!s} {[secret]} {secret:>20} {load(Settings, GOOD)}"
    assert "hunter2" not in shown
    assert secret == Secret("hunter2") and secret != Secret("other")
    with pytest.raises(TypeError):
        pickle.dumps(secret)


async def test_settings_are_checked_before_the_first_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = App("a")
    app.settings(Settings)

    @app.get("/fee")
    async def fee(settings: Settings) -> Decimal:
        return settings.fee

    monkeypatch.delenv("API_KEY", raising=False)
    with pytest.raises(ConfigError, match="API_KEY is not set"):
        await app.start()
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    async with TestClient(app) as client:
        assert (await client.get("/fee")).json() == "0.015"
    override = Settings(api_key=Secret("x"), fee=Decimal(2))
    async with TestClient(app, overrides={Settings: override}) as client:
        assert (await client.get("/fee")).json() == "2"


def test_only_structs_and_dataclasses_are_settings() -> None:
    class Plain:
        url: str

    with pytest.raises(ConfigError, match="must be a msgspec Struct or a dataclass"):
        load(Plain, {})


def test_optional_and_renamed_fields() -> None:
    class Maybe(Struct):
        password: Secret[str] | None = None
        pin: Annotated[Secret[int] | None, "as on the card"] = None
        token: Secret = Secret("")  # type: ignore[type-arg]
        names: list[Name] | None = None

    assert load(Maybe, {}) == Maybe()
    found = load(Maybe, {"PASSWORD": "hunter2", "PIN": "7", "TOKEN": "t", "NAMES": "a, b"})
    assert found == Maybe(Secret("hunter2"), Secret(7), Secret("t"), [Name("a"), Name("b")])
    with pytest.raises(ConfigError) as error:
        load(Maybe, {"PIN": "12x4"})
    assert "12x4" not in str(error.value)
