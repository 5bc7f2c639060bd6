from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct

from skerry.contract.codec import Codec, TextCodec
from skerry.contract.places import places
from skerry.contract.reader import shape_of
from skerry.core.errors import ConfigError


class Odd(Struct):
    z: complex


class Leaf(Struct):
    """msgspec makes no decoder for a union of objects that nothing tells apart."""

    either: Odd | dict[str, int] = {}


class Pear(Struct):
    a: int


class Plum(Struct):
    b: int


class Basket(Struct):
    fruit: dict[str, list[Pear | Plum | None]]


class Tree(Struct):
    basket: Basket
    trees: list[Tree] = []


@dataclasses.dataclass
class Line:
    price: Annotated[complex | None, "note"]


@dataclasses.dataclass
class Order:
    lines: list[Line]


@pytest.mark.parametrize(
    ("type", "said"),
    [
        (Odd, r"^Odd\.z: complex is not a type that JSON can carry"),
        (Order, r"^Order\.lines\[\]\.price: complex is not"),
        (list[Order], r"^Order\.lines\[\]\.price: complex is not"),
        (dict[str, Leaf], r"^Leaf\.either\.z: complex is not"),
        (complex, r"^complex is not"),
        (Basket, r"^Basket\.fruit\{\}\[\]: If a type union contains"),
        (Tree, r"^Tree\.basket\.fruit\{\}\[\]: If a type union contains"),
        (Pear | Plum, r"Pear \| .*Plum: If a type union contains"),
    ],
)
def test_what_cannot_be_names_its_place(type: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Codec(type)


def test_text_names_the_type() -> None:
    with pytest.raises(ConfigError, match=r"^Pear: text in a path, a query or a header"):
        TextCodec(Pear)


def test_every_part_has_a_place() -> None:
    found = [where for where, _ in places(shape_of(Annotated[list[Basket], Meta(min_length=1)]))]
    assert set(found) == {"", "Basket.fruit", "Basket.fruit{}", "Basket.fruit{}[]"} | {
        f"Basket.fruit{{}}[].{name}" for name in "ab"
    }
