"""Types by other names: what they mean in bodies, in text and in documents."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, NewType, TypeVar

import pytest
from msgspec import Meta, Struct
from typing_extensions import TypeAliasType

from skerry.contract.aliases import plain, sole
from skerry.contract.codec import Codec, TextCodec
from skerry.contract.schema import schema_of
from skerry.core.errors import ConfigError, Invalid

from .refusals import faults

T = TypeVar("T")
Sku = NewType("Sku", str)
# ``type Count = ...`` is this, from Python 3.12 on.
Count = TypeAliasType("Count", Annotated[int, Meta(gt=0)])
Many = TypeAliasType("Many", list[T], type_params=(T,))
Counts = TypeAliasType("Counts", Many[Count])


class Line(Struct):
    sku: Sku
    count: Count
    spare: Many[Count | None] = []


@dataclasses.dataclass
class Loose:
    one: object
    many: list[object]
    named: dict[str, object]
    none: object = None


class Circle:
    """What ``type Circle = list[Circle]`` makes."""

    __type_params__ = ()

    @property
    def __value__(self) -> Any:
        return list[self]  # type: ignore[misc,valid-type]

    def __repr__(self) -> str:
        return "Circle"


def test_in_bodies() -> None:
    body = b'{"sku":"a","count":1,"spare":[2,null]}'
    assert Codec(Line).decode(body) == Line(Sku("a"), 1, [2, None])
    assert Codec(Line).encode(Line(Sku("a"), 1, [2, None])) == body
    assert faults(Line, b'{"sku":1,"count":0,"spare":[0]}').keys() == {
        "#/sku",
        "#/count",
        "#/spare/0",
    }
    assert Codec(Counts).decode(b"[1,2]") == [1, 2]
    assert faults(Counts, b"[0]").keys() == {"#/0"}


def test_in_text() -> None:
    assert TextCodec(Sku).decode(["a"], "query/sku") == "a"
    assert TextCodec(Counts).decode(["1", "2"], "query/n") == [1, 2]
    assert TextCodec(Count | None).decode([], "query/n") is None
    with pytest.raises(Invalid):
        TextCodec(Count).decode(["0"], "query/n")


def test_in_documents() -> None:
    assert schema_of(Sku) == schema_of(str)
    assert schema_of(Counts) == schema_of(list[Annotated[int, Meta(gt=0)]])


def test_one_that_never_ends_is_refused_at_start() -> None:
    with pytest.raises(ConfigError, match="Circle is defined by itself"):
        Codec(dict[str, Circle()])  # type: ignore[misc]


def test_object_is_any_value() -> None:
    body = b'{"one":{"a":[1]},"many":["x",null],"named":{"b":{"c":2}},"none":7}'
    codec = Codec(Loose)
    assert codec.decode(body) == Loose({"a": [1]}, ["x", None], {"b": {"c": 2}}, 7)
    assert codec.encode(codec.decode(body)) == body
    assert Codec(object).decode(b"[1]") == [1]
    assert schema_of(list[object]) == schema_of(list[Any])


def test_the_type_behind_names() -> None:
    assert plain(Annotated[Count, "note"]) is int
    assert sole(Annotated[Sku | None, "note"]) is str
    assert sole(int | str | None) == int | str | None
