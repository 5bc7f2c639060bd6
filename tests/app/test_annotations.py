"""Types by other names, where a function declares what it takes and returns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Literal, NewType

import pytest
from annotated_types import Gt
from pydantic import BaseModel, Field
from typing_extensions import TypeAliasType

from skerry.app import App
from skerry.app.markers import Header, Query
from skerry.app.testclient import TestClient
from skerry.core.errors import ConfigError

Sku = NewType("Sku", str)
Tenant = TypeAliasType("Tenant", Annotated[str, Header("x-tenant")])
Limit = TypeAliasType("Limit", Annotated[int, Gt(0), Query("n")])
Skus = TypeAliasType("Skus", list[Sku])
Numbers = TypeAliasType("Numbers", AsyncIterator[int])


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"


Pet = TypeAliasType("Pet", Annotated[Cat | Dog, Field(discriminator="kind")])


def made() -> App:
    app = App("a")

    @app.get("/things/{sku}")
    async def thing(sku: Sku, tenant: Tenant, limit: Limit = 1, more: Skus = []) -> object:  # noqa: B006
        return [sku, tenant, limit, more]

    @app.get("/numbers")
    async def numbers() -> Numbers:
        yield 1
        yield 2

    @app.post("/pets")
    async def swap(pet: Pet) -> Pet:
        return Cat() if isinstance(pet, Dog) else Dog()

    @app.post("/anything")
    async def anything(value: object) -> dict[str, object]:
        return {"value": value}

    return app


async def test_aliases_are_what_they_stand_for() -> None:
    async with TestClient(made()) as client:
        answer = await client.get("/things/a?n=2&more=b&more=c", headers={"x-tenant": "t"})
        assert answer.json() == ["a", "t", 2, ["b", "c"]]
        answer = await client.get("/things/a?n=0", headers={"x-tenant": "t"})
        assert answer.json()["errors"][0]["pointer"] == "query/n"
        assert (await client.get("/numbers")).text == "1\n2\n"


async def test_a_tagged_union_of_models_is_taken_and_returned() -> None:
    async with TestClient(made()) as client:
        assert (await client.post("/pets", json={"kind": "dog"})).json() == {"kind": "cat"}
        assert (await client.post("/pets", json={"kind": "cow"})).status == 422


async def test_object_is_anything() -> None:
    async with TestClient(made()) as client:
        answer = await client.post("/anything", json={"a": [1]})
        assert answer.json() == {"value": {"a": [1]}}


def test_a_default_of_another_type_is_an_error_at_start() -> None:
    app = App("a")

    @app.get("/things")
    async def things(limit: int = "10") -> None:  # type: ignore[assignment]
        pass

    with pytest.raises(ConfigError, match=r"things .*'limit': the default '10' is not of the type"):
        app.contract()


async def test_a_type_that_text_cannot_carry_names_its_endpoint() -> None:
    app = App("a")

    @app.get("/things")
    async def things(shape: Annotated[Cat, Query()] = Cat()) -> None:
        pass

    with pytest.raises(ConfigError, match=r"test_annotations.*things.*Cat: text in a path"):
        await app.start()
