"""What msgspec does not enforce, and types that cannot be: constraints on anything."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from annotated_types import Gt, Len, Predicate
from msgspec import Meta
from pydantic.dataclasses import dataclass as pydantic_dataclass

from skerry.contract.codec import Codec
from skerry.core.errors import ConfigError

from .kinds import (
    Customer,
    NewQuote,
    Node,
    Page,
    Positional,
)
from .refusals import faults, unreadable


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
        start = time.process_time()
        Codec.of(type).decode(text.encode())
        assert faults(type, b"1e-999999999999")
        assert time.process_time() - start < 0.5

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

    def test_pydantic_dataclasses_are_not_taken_unvalidated(self) -> None:
        @pydantic_dataclass
        class Sly:
            a: int

        with pytest.raises(ConfigError, match="Pydantic dataclass"):
            Codec(list[Sly])
