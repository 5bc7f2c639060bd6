"""What schemas say. That they agree with the codec is tested in test_fuzz."""

from __future__ import annotations

import json
import types
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Gt, Len, Timezone
from msgspec import UNSET, Meta, Struct, UnsetType
from pydantic import BaseModel
from typing_extensions import Doc

from skerry.contract.naming import names
from skerry.contract.sample import sample
from skerry.contract.schema import Schemas, schema_of

from . import kinds
from .kinds import Cat, Closed, Colour, Customer, Dog, Everything, NewQuote, Node, Page, Point


@pytest.mark.parametrize(
    ("type", "schema"),
    [
        (int | None, {"type": ["integer", "null"]}),
        (int | str, {"type": ["integer", "string"]}),
        (Any, {}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (Literal["a"], {"type": "string", "const": "a"}),
        (Literal["a", "b"] | None, {"type": ["string", "null"], "enum": ["a", "b", None]}),
        (Annotated[str, Len(1, 3)], {"type": "string", "minLength": 1, "maxLength": 3}),
        (Annotated[int, Gt(0)], {"type": "integer", "exclusiveMinimum": 0}),
        (Annotated[int, Meta(extra_json_schema={"x-a": 1})], {"type": "integer", "x-a": 1}),
        (
            Annotated[int, Meta(title="T", description="D", examples=[3])],
            {"type": "integer", "title": "T", "description": "D", "examples": [3]},
        ),
        (Annotated[datetime, Timezone(...)], {"type": "string", "format": "date-time"}),
        (
            dict[str, Annotated[float, Doc("Of one.")]],
            {
                "type": "object",
                "additionalProperties": {"type": "number", "description": "Of one."},
            },
        ),
        (
            tuple[int, str],
            {
                "type": "array",
                "minItems": 2,
                "maxItems": 2,
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "items": False,
            },
        ),
    ],
)
def test_types(type: Any, schema: Any) -> None:
    assert schema_of(type) == schema


def test_a_record() -> None:
    made = schema_of(NewQuote)["$defs"]["NewQuote"]
    assert made["description"] == "What a payer asks for."
    assert made["required"] == ["school_id", "amount", "pay_in"]
    amount = made["properties"]["amount"]
    assert amount["type"] == ["string", "number"]
    assert amount["format"] == "decimal"
    assert amount["exclusiveMinimum"] == 0
    assert amount["description"] == "In the school's currency."
    assert made["properties"]["pay_in"]["examples"] == ["EUR"]


def test_optional_and_nullable_are_two_things() -> None:
    class Four(Struct):
        must: int
        must_or_null: int | None
        may: int = 3
        may_or_null: int | None = None
        absent: int | UnsetType = UNSET

    made = schema_of(Four)["$defs"]["Four"]
    assert made["required"] == ["must", "must_or_null"]
    assert made["properties"] == {
        "must": {"type": "integer"},
        "must_or_null": {"type": ["integer", "null"]},
        "may": {"type": "integer", "default": 3},
        "may_or_null": {"type": ["integer", "null"], "default": None},
        "absent": {"type": "integer"},
    }


def test_tagged_unions_have_discriminators() -> None:
    made = schema_of(Cat | Dog)
    assert made["oneOf"] == [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]
    assert made["discriminator"] == {
        "propertyName": "type",
        "mapping": {"cat": "#/$defs/Cat", "dog": "#/$defs/Dog"},
    }
    assert made["$defs"]["Cat"]["properties"]["type"] == {"type": "string", "const": "cat"}
    assert "type" in made["$defs"]["Dog"]["required"]
    assert schema_of(Cat | Dog | None)["anyOf"][1] == {"type": "null"}


def test_recursion_renaming_and_closing() -> None:
    node = schema_of(Node)["$defs"]["Node"]
    assert node["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    closed = schema_of(Closed)["$defs"]["Closed"]
    assert list(closed["properties"]) == ["firstName", "lastName"]
    assert closed["additionalProperties"] is False


def test_generated_docstrings_are_left_out() -> None:
    assert "description" not in schema_of(Point)["$defs"]["Point"]
    assert schema_of(Colour)["$defs"]["Colour"]["description"] == "What it looks like."


def test_defaults_that_break_their_own_rules_are_not_shown() -> None:
    class Sloppy(Struct):
        amount: Annotated[int, Gt(0)] = 0
        price: Decimal = Decimal("1.50")
        ratio: float = float("nan")

    made = schema_of(Sloppy)["$defs"]["Sloppy"]["properties"]
    assert "default" not in made["amount"]
    assert made["price"]["default"] == "1.50"
    assert "default" not in made["ratio"]


def test_pydantic_models_bring_their_own() -> None:
    made = schema_of(Page[Customer])["$defs"]
    assert made["PageOfCustomer"]["properties"]["items"]["items"] == {"$ref": "#/$defs/Customer"}
    assert made["Customer"]["properties"]["name"]["minLength"] == 1


def test_pydantic_names_make_room() -> None:
    class Cat(BaseModel):
        friend: Cat | None = None

    Cat.model_rebuild()
    made = schema_of(tuple[Cat, kinds.Cat])
    assert made["prefixItems"] == [{"$ref": "#/$defs/CatModel"}, {"$ref": "#/$defs/Cat"}]
    assert "#/$defs/CatModel" in json.dumps(made["$defs"]["CatModel"])


def test_parameters_have_no_null() -> None:
    schemas = Schemas([int | None, Colour | None, Annotated[int | None, Meta(description="D")]])
    assert schemas.text_of(int | None) == {"type": "integer"}
    assert schemas.text_of(Colour | None) == {"$ref": "#/components/schemas/Colour"}
    described = schemas.text_of(Annotated[int | None, Meta(description="D")])
    assert described == {"type": "integer", "description": "D"}


class TestNames:
    def test_generics_read_well(self) -> None:
        found = names([Page[NewQuote], Page[list[int]], Page[dict[str, Cat | None]]])
        assert list(found.values()) == ["PageOfListOfInteger", "PageOfMapOfStringAndCatOrNull",
                                        "PageOfNewQuote"]  # fmt: skip

    def test_clashes_are_resolved_by_modules_whatever_the_order(self) -> None:
        def item(module: str) -> Any:
            made = types.new_class("Item", (Struct,))
            made.__module__ = module
            return made

        one, two, three = item("shop.billing.models"), item("shop.stock.models"), item("other")
        for order in ([one, two, three], [three, two, one]):
            found = names(order)
            assert found[one] == "billing.models.Item"
            assert found[two] == "stock.models.Item"
            assert found[three] == "other.Item"

    def test_types_of_one_place_are_numbered(self) -> None:
        made: list[Any] = [Enum("Twin", "A"), Enum("Twin", "B")]
        assert sorted(names(made).values()) == ["Twin1", "Twin2"]


@pytest.mark.parametrize("type", [NewQuote, Cat | Dog, Node, list[int], Page[NewQuote], Closed])
def test_samples_fit(type: Any) -> None:
    from skerry.contract.codec import Codec

    made = schema_of(type)
    value = sample(made, made.get("$defs", {}))
    Codec.of(type).decode(json.dumps(value).encode())


def test_schemas_are_the_same_every_time() -> None:
    assert json.dumps(schema_of(Everything)) == json.dumps(schema_of(Everything))
