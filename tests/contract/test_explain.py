"""What is wrong with a body: everything at once, each with its pointer, in bounded time."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest

from skerry.contract.codec import Codec
from skerry.core.errors import BadRequest, Invalid

from .kinds import (
    Address,
    Cat,
    Closed,
    Customer,
    Dog,
    Guarded,
    NewQuote,
    Node,
    Page,
    Point,
    Positional,
)
from .refusals import faults, unreadable


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
        start = time.process_time()
        assert faults(list[int], body) == {"#/200000": "expected an integer, got null"}
        assert time.process_time() - start < 3

    def test_so_is_one_in_a_large_mapping(self) -> None:
        body = b"{%s}" % b",".join(b'"%d":1' % n for n in range(60_000))
        body = body[:-1] + b',"x":1}'
        start = time.process_time()
        assert faults(dict[int, int], body).keys() == {"#/x"}
        assert time.process_time() - start < 3

    @pytest.mark.parametrize("depth", [50, 100, 300, 900, 100_000])
    def test_deep_nesting(self, depth: int) -> None:
        body = b'{"children":[' * depth + b'{"weight":-1}' + b"]}" * depth
        with pytest.raises((Invalid, BadRequest)):
            Codec.of(Node).decode(body)

    def test_a_body_made_to_be_slow_is_refused_in_time(self) -> None:
        body = b'{"children":[' + b"{}," * 50_000 + b'{"weight":-1}]}'
        for _ in range(60):
            body = b'{"children":[{},' + body + b"]}"
        start = time.process_time()
        assert "there may be more" in faults(Node, body)["#"]
        assert time.process_time() - start < 5

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


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"street":5,"number":1}', "#/street: expected a string, got 5"),
        (b"{}", "#/street: is required; and 1 more"),
    ],
)
def test_the_detail_is_the_first_fault_and_how_many_more(body: bytes, detail: str) -> None:
    with pytest.raises(Invalid) as refused:
        Codec.of(Address).decode(body)
    assert refused.value.detail == detail
