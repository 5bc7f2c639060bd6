"""Decoding: what is taken, what is refused, and in which words. Encoding: what never leaves."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import msgspec
import pytest
from annotated_types import Gt, Len, Predicate
from msgspec import Meta, Struct
from pydantic import BaseModel
from pydantic.dataclasses import dataclass as pydantic_dataclass

from skerry.contract.codec import Codec, EncodeError
from skerry.core.errors import BadRequest, ConfigError, Invalid

from . import kinds
from .kinds import (
    Address,
    Cat,
    Closed,
    Colour,
    Customer,
    Dog,
    Everything,
    Guarded,
    NewQuote,
    Node,
    Options,
    Page,
    Parcel,
    Point,
    Positional,
)


def faults(type: Any, body: bytes, *, strict: bool = False) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        Codec.of(type, strict=strict).decode(body)
    found = {fault.pointer: fault.detail for fault in refused.value.errors}
    assert len(found) == len(refused.value.errors)
    return found


def unreadable(type: Any, body: bytes) -> str:
    with pytest.raises(BadRequest) as refused:
        Codec.of(type).decode(body)
    return refused.value.detail


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


class TestConstraints:
    """msgspec refuses bounds on Decimal, ignores annotated-types, and takes "NaN"."""

    @pytest.mark.parametrize("text", ["NaN", "sNaN", "-NaN", "Infinity", "-Infinity", "inf"])
    @pytest.mark.parametrize(
        ("type", "form"),
        [
            (Decimal, "{}"),
            (list[Decimal], "[{}]"),
            (dict[str, Decimal | None], '{{"a":{}}}'),
            (dict[Decimal, int], "{{{}:1}}"),
            (dict[float, int], "{{{}:1}}"),
            (tuple[int, Decimal], "[1,{}]"),
            (Positional, "[1,{}]"),
            (Node, '{{"children":[{{"by_name":{{"x":{{"weight":{}}}}}}}]}}'),
            (Page[Decimal], '{{"items":[{}]}}'),
            (Customer, '{{"name":"A","score":{}}}'),
        ],
    )
    def test_no_number_that_is_not_one(self, type: Any, form: str, text: str) -> None:
        assert faults(type, form.format(f'"{text}"').encode())

    @pytest.mark.parametrize("type", [float, Any, Decimal, Customer, list[float]])
    @pytest.mark.parametrize("body", [b"NaN", b"-Infinity", b"[NaN]", b'{"a":Infinity}'])
    def test_literals_javascript_has_and_json_has_not(self, type: Any, body: bytes) -> None:
        assert "not JSON" in unreadable(type, body)

    def test_float_out_of_range(self) -> None:
        assert faults(float, b"1e999") == {"#": "expected a number, got 1e999"}

    def test_meta_on_what_msgspec_refuses_it(self) -> None:
        assert faults(Node, b'{"weight":-1}') == {
            "#/weight": "expected a decimal number >= 0, got -1"
        }
        assert faults(Annotated[int | None, Meta(gt=3)], b"3")
        assert Codec.of(Annotated[int | None, Meta(gt=3)]).decode(b"null") is None

    def test_a_tenth_is_a_tenth(self) -> None:
        """Bounds written as floats mean what they say, not the binary fraction next to it."""
        type = Annotated[Decimal, Meta(ge=0.1, le=0.3, multiple_of=0.1)]
        for text in (b"0.1", b'"0.3"', b"0.2"):
            Codec.of(type).decode(text)
        assert faults(type, b"0.15")

    @pytest.mark.parametrize("text", ["1e999999999999", "-1e999999999999", "0e-999999999999"])
    def test_huge_exponents_cost_nothing(self, text: str) -> None:
        type = Annotated[Decimal, Meta(multiple_of=0.01)]
        start = time.perf_counter()
        Codec.of(type).decode(text.encode())
        assert faults(type, b"1e-999999999999")
        assert time.perf_counter() - start < 0.5

    def test_rules_on_containers(self) -> None:
        type = Annotated[set[int], Len(2, 3)]
        assert Codec.of(type).decode(b"[1,2,2]") == {1, 2}
        assert faults(type, b"[1,1]") == {"#": "expected an array of at least 2 items, got 1"}

    def test_predicates(self) -> None:
        def even(n: int) -> bool:
            return n % 2 == 0

        def fussy(n: int) -> bool:
            raise ValueError(n)

        assert faults(Annotated[int, Predicate(even)], b"3") == {
            "#": "expected an integer that satisfies even, got 3"
        }
        assert faults(Annotated[int, Predicate(fussy)], b"3")

    def test_naive_against_aware_is_a_fault_and_not_a_crash(self) -> None:
        type = Annotated[datetime, Gt(datetime(2026, 1, 1, tzinfo=UTC))]
        assert Codec.of(type).decode(b'"2026-06-01T00:00:00Z"')
        assert faults(type, b'"2026-06-01T00:00:00"')

    def test_constraints_that_make_no_sense_are_errors_at_start(self) -> None:
        with pytest.raises(ConfigError, match=r"min_length.*makes no sense for int"):
            Codec(Annotated[int, Len(2)])
        with pytest.raises(ConfigError, match=r"gt.*makes no sense"):
            Codec(Annotated[NewQuote, Gt(1)])

    @pytest.mark.parametrize("type", [complex, set[list[int]], dict[NewQuote, int], Callable])
    def test_types_that_json_cannot_carry(self, type: Any) -> None:
        with pytest.raises(ConfigError):
            Codec(type)

    def test_the_error_says_which_field(self) -> None:
        class Odd(Struct):
            z: complex

        with pytest.raises(ConfigError, match=r"Odd\.z: complex is not a type"):
            Codec(Odd)

    def test_pydantic_dataclasses_are_not_taken_unvalidated(self) -> None:
        @pydantic_dataclass
        class Sly:
            a: int

        with pytest.raises(ConfigError, match="Pydantic dataclass"):
            Codec(list[Sly])


class TestFaults:
    def test_all_at_once_with_pointers(self) -> None:
        body = b'{"items":[{"school_id":5,"amount":"-1"},{},7],"next":false}'
        assert faults(Page[NewQuote], body) == {
            "#/items/0/school_id": "expected a string, got 5",
            "#/items/0/amount": 'expected a decimal number > 0, got "-1"',
            "#/items/0/pay_in": "is required",
            "#/items/1/school_id": "is required",
            "#/items/1/amount": "is required",
            "#/items/1/pay_in": "is required",
            "#/items/2": "expected an object, got 7",
            "#/next": "expected a string or null, got false",
        }

    def test_pointers_are_escaped(self) -> None:
        body = '{"a/b~c d%é\\"": "x"}'.encode()
        assert faults(dict[str, int], body) == {
            "#/a~1b~0c%20d%25%C3%A9%22": 'expected an integer, got "x"'
        }

    def test_tagged_unions(self) -> None:
        body = b'[{"type":"cat","lives":10},{"type":"cow"},{},{"type":"dog"},5,{"type":7}]'
        assert faults(list[Cat | Dog], body) == {
            "#/0/lives": "expected an integer <= 9, got 10",
            "#/1/type": 'expected one of "cat", "dog", got "cow"',
            "#/2/type": 'is required: one of "cat", "dog"',
            "#/3/name": "is required",
            "#/4": "expected an object, got 5",
            "#/5/type": 'expected one of "cat", "dog", got 7',
        }
        assert faults(Cat, b'{"type":"dog"}') == {"#/type": 'expected "cat", got "dog"'}

    def test_a_refusing_post_init(self) -> None:
        body = b'[{"low":1,"high":2},{"low":3,"high":2},{"low":4,"high":3}]'
        detail = "low must not be above high"
        assert faults(list[Guarded], body) == {"#/1": detail, "#/2": detail}

    def test_a_failing_post_init_is_the_apps_own_bug(self) -> None:
        @dataclasses.dataclass
        class Broken:
            a: int

            def __post_init__(self) -> None:
                raise LookupError("bug")

        with pytest.raises(LookupError):
            Codec(Broken).decode(b'{"a":1}')

    def test_arrays_as_records(self) -> None:
        assert faults(Positional, b"[]") == {"#/0": "is required: x"}
        assert faults(Point, b'[-1,"a",3]') == {
            "#/0": "expected a number >= 0, got -1",
            "#/2": "is not a field here",
        }
        assert faults(tuple[int, str], b"[1]") == {"#": "expected an array of 2 items, got 1"}

    def test_keys_of_mappings(self) -> None:
        assert faults(dict[int, int], b'{"x":1,"2":"y"}') == {
            "#/x": 'expected a name that is an integer, got "x"',
            "#/2": 'expected an integer, got "y"',
        }

    def test_pydantic_faults_have_pointers_too(self) -> None:
        assert faults(Page[Customer], b'{"items":[{"name":""},{"age":"x"}]}') == {
            "#/items/0/name": "string should have at least 1 character",
            "#/items/1/name": "field required",
            "#/items/1/age": (
                "input should be a valid integer, unable to parse string as an integer"
            ),
        }

    def test_long_values_are_cut(self) -> None:
        assert len(faults(int, b'"%s"' % (b"x" * 9000))["#"]) < 80

    def test_the_number_of_faults_is_bounded(self) -> None:
        with pytest.raises(Invalid) as refused:
            Codec.of(list[int]).decode(b"[" + b",".join([b'"x"'] * 100_000) + b"]")
        assert len(refused.value.errors) == 101
        assert refused.value.errors[-1].detail == "there are more; these are the first 100"

    def test_a_late_fault_in_a_large_body_is_found_in_time(self) -> None:
        body = b"[" + b"1," * 200_000 + b"null]"
        start = time.perf_counter()
        assert faults(list[int], body) == {"#/200000": "expected an integer, got null"}
        assert time.perf_counter() - start < 3

    def test_so_is_one_in_a_large_mapping(self) -> None:
        body = b"{%s}" % b",".join(b'"%d":1' % n for n in range(60_000))
        body = body[:-1] + b',"x":1}'
        start = time.perf_counter()
        assert faults(dict[int, int], body).keys() == {"#/x"}
        assert time.perf_counter() - start < 3

    @pytest.mark.parametrize("depth", [50, 100, 300, 900, 100_000])
    def test_deep_nesting(self, depth: int) -> None:
        body = b'{"children":[' * depth + b'{"weight":-1}' + b"]}" * depth
        with pytest.raises((Invalid, BadRequest)):
            Codec.of(Node).decode(body)

    def test_a_body_made_to_be_slow_is_refused_in_time(self) -> None:
        body = b'{"children":[' + b"{}," * 50_000 + b'{"weight":-1}]}'
        for _ in range(60):
            body = b'{"children":[{},' + body + b"]}"
        start = time.perf_counter()
        assert "there may be more" in faults(Node, body)["#"]
        assert time.perf_counter() - start < 5

    def test_a_repeated_member(self) -> None:
        """The last one counts, and each has to fit."""
        assert Codec.of(Address).decode(b'{"number":2,"street":"a","number":3}').number == 3
        assert faults(Address, b'{"number":"x","street":"a","number":3}')


class TestUnreadable:
    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            (b"", "it is empty"),
            (b" \n", "it is empty"),
            (b"\xef\xbb\xbf{}", "it starts with a byte order mark"),
            (b'{"a":"\xff"}', "it is not UTF-8 at byte 6"),
            (b'{"a":"\xed\xa0\x80"}', "it is not UTF-8 at byte 6"),
            (b'{"a":\n 1 "b"}', "expecting ',' delimiter at line 2, column 4"),
            (b'{"a":"\\ud800"}', "a string in it is not Unicode"),
            (b"[1,]", "line 1, column"),
            (b"[" * 100_000, "nested too deeply"),
            (b"{} {}", "extra data at line 1, column 4"),
            (b'{"a":"x\ny"}', "line 1, column"),
        ],
    )
    @pytest.mark.parametrize("type", [Any, NewQuote, dict[str, str], Customer])
    def test_says_where(self, type: Any, body: bytes, detail: str) -> None:
        assert detail in unreadable(type, body)

    def test_not_json_comes_before_not_fitting(self) -> None:
        assert "line 1" in unreadable(NewQuote, b'{"school_id": 5, oops}')


class TestUnknownFields:
    body = b'{"school_id":"x","amount":1,"pay_in":"EUR","a/b":1,"zz":{}}'

    def test_ignored_and_countable(self) -> None:
        assert Codec.of(NewQuote).decode(self.body).amount == 1
        assert Codec.of(NewQuote).unknown(self.body) == ["#/a~1b", "#/zz"]

    def test_refused_when_strict_all_of_them(self) -> None:
        detail = "is not a field here"
        assert faults(NewQuote, self.body, strict=True) == {"#/a~1b": detail, "#/zz": detail}

    def test_anywhere_in_the_body(self) -> None:
        body = b'{"items":[{"name":"A","x":1}],"y":[{"type":"cat","z":1}]}'
        assert Codec.of(Page[Customer]).unknown(body) == ["#/items/0/x", "#/y"]
        assert Codec.of(list[Cat | Dog | None]).unknown(b'[{"type":"cat","z":1}]') == ["#/0/z"]
        assert Codec.of(Positional).unknown(b"[1,2,3]") == ["#/2"]

    def test_a_closed_type_refuses_them_by_itself(self) -> None:
        assert faults(Closed, b'{"firstName":"A","x":1,"y":2}').keys() == {"#/x", "#/y"}

    def test_strict_takes_what_fits(self) -> None:
        body = b'{"school_id":"x","amount":1,"pay_in":"EUR"}'
        assert Codec.of(NewQuote, strict=True).decode(body).pay_in == "EUR"

    def test_their_number_is_bounded(self) -> None:
        body = b"{%s}" % b",".join(b'"k%d":1' % n for n in range(5000))
        assert len(Codec.of(NewQuote).unknown(body)) == 100
        assert len(Codec.of(list[NewQuote]).unknown(b"[%s]" % b",".join([b"5"] * 5000))) == 0
        with pytest.raises(Invalid) as refused:
            Codec.of(Closed).decode(body)
        assert len(refused.value.errors) == 101

    @pytest.mark.parametrize("body", [b"", b"[", b"5", b"\xff", b"[" * 9999])
    def test_what_is_not_json_has_none(self, body: bytes) -> None:
        assert Codec.of(NewQuote).unknown(body) == []


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
