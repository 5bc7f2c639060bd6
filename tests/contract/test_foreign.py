"""Pydantic's models: unions of them, which msgspec would not take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from msgspec import Struct
from pydantic import BaseModel, Field

from skerry.contract.codec import Codec
from skerry.contract.openapi import document
from skerry.contract.operation import Answer, Body, Contract, Operation
from skerry.contract.schema import schema_of
from skerry.core.errors import ConfigError

from .refusals import faults


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = Field(default=9, le=9)


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    name: str


class Fish(Struct):
    fins: int


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Visit(Struct):
    pet: Pet
    others: list[Pet | None] = []


@pytest.mark.parametrize("type", [Pet, Cat | Dog, Cat | Dog | None, Pet | int])
def test_a_union_of_models_is_a_body(type: Any) -> None:
    codec = Codec(type)
    assert codec.decode(b'{"kind":"dog","name":"Rex"}') == Dog(name="Rex")
    assert codec.encode(Cat(lives=3)) == b'{"kind":"cat","lives":3}'
    assert codec.unknown(b'{"kind":"dog","name":"Rex","age":3}') == ["#/age"]


def test_what_else_may_stand_beside_them() -> None:
    assert Codec(Cat | Dog | None).decode(b"null") is None
    assert Codec(Pet | None).decode(b"null") is None
    assert Codec(Pet | int).decode(b"5") == 5


def test_faults_are_those_of_the_model_that_is_meant() -> None:
    assert faults(Pet, b'{"kind":"cat","lives":10}') == {
        "#/lives": "input should be less than or equal to 9"
    }
    assert "does not match any of the expected tags" in faults(Pet, b'{"kind":"cow"}')["#"]
    assert faults(Pet, b'{"kind":"dog","name":"a","x":1}', strict=True).keys() == {"#/x"}


def test_inside_other_types() -> None:
    visit = Codec(Visit).decode(b'{"pet":{"kind":"cat"},"others":[null,{"kind":"dog","name":"a"}]}')
    assert visit == Visit(Cat(), [None, Dog(name="a")])
    assert faults(
        Visit, b'{"pet":{"kind":"dog"},"others":[{"kind":"cat","lives":"x"}]}'
    ).keys() == {
        "#/pet/name",
        "#/others/0/lives",
    }


def test_the_document_says_what_tells_them_apart() -> None:
    assert schema_of(Pet)["discriminator"] == {
        "propertyName": "kind",
        "mapping": {"cat": "#/$defs/Cat", "dog": "#/$defs/Dog"},
    }
    assert schema_of(Cat | Dog)["anyOf"] == [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]
    operation = Operation(
        "swap", "POST", "/pets", body=Body(Pet), answer=Answer(200, Pet, "application/json")
    )
    whole = document(Contract("pets", "1", operations=(operation,)))
    swap = whole["paths"]["/pets"]["post"]
    asked = swap["requestBody"]["content"]["application/json"]["schema"]
    given = swap["responses"]["200"]["content"]["application/json"]["schema"]
    assert asked == given
    assert asked["oneOf"] == [
        {"$ref": "#/components/schemas/Cat"},
        {"$ref": "#/components/schemas/Dog"},
    ]
    assert asked["discriminator"]["mapping"]["cat"] == "#/components/schemas/Cat"


def test_members_that_pydantic_does_not_know_are_refused_at_start() -> None:
    with pytest.raises(ConfigError, match="Fish"):
        Codec(Cat | Fish)


class Early(BaseModel):
    later: "Later"  # noqa: F821, UP037  # type: ignore[name-defined]


class Called(BaseModel):
    back: Callable[[], int]


def test_what_pydantic_cannot_do_is_an_error_at_start() -> None:
    with pytest.raises(ConfigError, match="Early names something in its annotations"):
        Codec(list[Early])
    with pytest.raises(ConfigError, match="Called: Cannot generate a JsonSchema"):
        schema_of(Called)
