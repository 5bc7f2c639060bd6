"""Bodies to values and back: what is taken, and what never leaves."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import msgspec
import pytest
from annotated_types import Predicate
from msgspec import Meta, Struct
from pydantic import BaseModel

from skerry.contract.codec import Codec, EncodeError

from . import kinds
from .kinds import (
    Address,
    Cat,
    Closed,
    Colour,
    Customer,
    Dog,
    Everything,
    NewQuote,
    Node,
    Options,
    Page,
    Parcel,
    Point,
    Positional,
)
from .refusals import faults


class TestTypes:
    @pytest.mark.parametrize(
        ("type", "body", "value"),
        [
            (
                NewQuote,
                b'{"school_id":"x","amount":1.10,"pay_in":"EUR"}',
                NewQuote("x", Decimal("1.10"), "EUR"),
            ),
            (Cat | Dog, b'{"type":"dog","name":"Rex"}', Dog("Rex")),
            (Page[int], b'{"items":[1]}', Page([1])),
            (Closed, b'{"firstName":"A"}', Closed("A")),
            (Positional, b'[1,"2.5"]', Positional(1, Decimal("2.5"))),
            (Address, b'{"street":"s","number":7}', Address("s", 7)),
            (Options, b'{"verbose":true}', {"verbose": True}),
            (Point, b"[1.5]", Point(1.5)),
            (Parcel, b'{"weight":"3"}', Parcel(Decimal(3))),
            (Customer, b'{"name":"A","age":"3"}', Customer(name="A", age=3)),
            (list[Customer], b'[{"name":"A"}]', [Customer(name="A")]),
            (Colour, b'"red"', Colour.RED),
            (Decimal, b'"1.50"', Decimal("1.50")),
            (int, b"9" * 40, int("9" * 40)),
            (Decimal, b"9" * 5000, Decimal("9" * 5000)),
            (Annotated[int, Meta(gt=0)], b"9" * 30, int("9" * 30)),
        ],
    )
    def test_body_becomes_value(self, type: Any, body: bytes, value: Any) -> None:
        assert Codec.of(type).decode(body) == value

    def test_any_buffer_is_a_body(self) -> None:
        for buffer in (bytearray(b"[1]"), memoryview(b"[1]")):
            assert Codec.of(list[int]).decode(buffer) == [1]
        assert faults(list[int], memoryview(b'["x"]')) == {"#/0": 'expected an integer, got "x"'}

    @pytest.mark.parametrize(
        ("type", "body", "value"),
        [
            (int, b"1.0", 1),
            (int, b"-1.50e2", -150),
            (list[int], b"[1, 2.0, 3e0]", [1, 2, 3]),
            (dict[str, int], b'{"1.0\\"2.0":3.0}', {'1.0"2.0': 3}),
            (Colour | int, b"1e1", 10),
            (list[int], b"[0e0000000001, 0e-99999, 1.0E+0]", [0, 0, 1]),
            (Decimal, b"1.0", Decimal("1.0")),
        ],
    )
    def test_an_integer_may_be_written_as_a_float(self, type: Any, body: bytes, value: Any) -> None:
        """JSON has one kind of number; to JSON Schema, too, 1.0 is an integer."""
        found = Codec.of(type).decode(body)
        assert found == value
        assert str(found) == str(value)

    @pytest.mark.parametrize(
        "body", [b"1.5", b"1e-1", b"1e999999", b'"1.0"', b"1e400", b"1e99999999999999999999"]
    )
    def test_other_numbers_are_no_integers(self, body: bytes) -> None:
        assert faults(int, body)["#"].startswith("expected an integer, got ")

    def test_codecs_are_made_once(self) -> None:
        assert Codec.of(NewQuote) is Codec.of(NewQuote)
        assert Codec.of(NewQuote) is not Codec.of(NewQuote, strict=True)

    def test_annotations_without_a_hash_work(self) -> None:
        type = Annotated[int, {"a": []}]
        assert Codec.of(type).decode(b"1") == 1

    @pytest.mark.parametrize("type", kinds.RECORDS + kinds.LEAVES)
    def test_every_kind_has_a_codec(self, type: Any) -> None:
        Codec(type)
        Codec(type, strict=True)


class TestEncoding:
    @pytest.mark.parametrize(
        ("value", "body"),
        [
            (Decimal("1.50"), b'"1.50"'),
            (datetime(2026, 1, 31, 12, tzinfo=UTC), b'"2026-01-31T12:00:00Z"'),
            (timedelta(days=1, hours=2), b'"P1DT7200S"'),
            (UUID(int=0), b'"00000000-0000-0000-0000-000000000000"'),
            (b"abc", b'"YWJj"'),
            (Colour.RED, b'"red"'),
            (date(2026, 1, 31), b'"2026-01-31"'),
            (2**70, b"1180591620717411303424"),
            (Customer(name="A"), b'{"name":"A","age":0,"score":0.0}'),
            ([Cat(3)], b'[{"type":"cat","lives":3}]'),
        ],
    )
    def test_value_becomes_body(self, value: Any, body: bytes) -> None:
        assert Codec.of(Any).encode(value) == body

    @pytest.mark.parametrize("bad", [float("nan"), float("-inf"), Decimal("NaN"), Decimal("-inf")])
    @pytest.mark.parametrize(
        ("type", "wrap", "where"),
        [
            (Any, lambda x: {"a": [x]}, "#/a/0"),
            (list[float | Decimal | None], lambda x: [None, x], "#/1"),
            (Page[Any], lambda x: Page([x]), "#/items/0"),
            (dict[str, Any], lambda x: {"a/b": x}, "#/a~1b"),
            (Any, lambda x: Customer.model_construct(name="a", score=float(x)), "#/score"),
            (Any, lambda x: Parcel(x), "#/weight"),
            (Any, lambda x: Address("s", x), "#/number"),
        ],
    )
    def test_no_nan_leaves(self, type: Any, wrap: Any, where: str, bad: Any) -> None:
        with pytest.raises(EncodeError, match="NaN or infinite") as raised:
            Codec.of(type).encode(wrap(bad))
        assert str(raised.value).startswith(where + " ")

    def test_nor_as_a_key(self) -> None:
        with pytest.raises(EncodeError):
            Codec.of(dict[float, int]).encode({float("inf"): 1})

    def test_null_and_words_are_not_taken_for_nan(self) -> None:
        assert Codec.of(Any).encode([None, "NaN", "Infinity"]) == b'[null,"NaN","Infinity"]'

    @pytest.mark.parametrize("value", [object(), 1j, "\ud800"])
    def test_what_json_cannot_carry(self, value: Any) -> None:
        with pytest.raises(EncodeError, match="cannot write this as JSON"):
            Codec.of(Any).encode(value)

    def test_a_value_that_contains_itself(self) -> None:
        value: list[Any] = []
        value.append(value)
        with pytest.raises(EncodeError):
            Codec.of(Any).encode(value)

    def test_subclasses_of_builtins(self) -> None:
        class Name(str):
            __slots__ = ()

        assert Codec.of(Any).encode([Name("a")]) == b'["a"]'

    def test_round_trip(self) -> None:
        whole = Everything(
            Decimal("9.99"),
            when=datetime(2026, 1, 31, tzinfo=UTC),
            wait=timedelta(seconds=-90),
            data=b"abcd",
            pet=Dog("Rex"),
            numbers={"a": Decimal("0.0")},
            address=Address("s", 1),
            point=Point(0.5),
            parcel=Parcel(Decimal(1)),
        )
        codec = Codec.of(Everything)
        assert codec.decode(codec.encode(whole)) == whole


V = TypeVar("V")


class Base(Struct, Generic[V]):
    value: Annotated[V, Predicate(lambda v: v != 13)]


class Derived(Base[Decimal]):
    more: int = 0


def test_generics_through_inheritance() -> None:
    assert Codec.of(Derived).decode(b'{"value":"12"}') == Derived(Decimal(12))
    assert faults(Derived, b'{"value":13}').keys() == {"#/value"}
    assert faults(Derived, b'{"value":"NaN"}').keys() == {"#/value"}
    assert faults(Base[Base[Decimal]], b'{"value":{"value":"sNaN"}}').keys() == {"#/value/value"}


def test_nothing_is_checked_twice() -> None:
    """A type that msgspec checks wholly has no check of ours: the fast path is msgspec's own."""
    assert Codec(list[Annotated[int, Meta(gt=0)]])._check is None
    assert Codec(NewQuote)._check is not None


def test_pydantic_strict_mode_sees_json() -> None:
    class Strict(BaseModel, strict=True):
        day: date

    assert Codec(list[Strict]).decode(b'[{"day":"2026-01-31"}]')[0].day == date(2026, 1, 31)


def test_msgspec_is_not_confused_by_moved_constraints() -> None:
    """Reading a type puts rules msgspec refuses where it does not look, once and for all."""
    Codec(Node)
    assert msgspec.json.decode(b'{"weight":-1}', type=Node).weight == -1
    assert faults(Node, b'{"weight":-1}')
