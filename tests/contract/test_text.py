"""Text to values: the grammar is JSON's and RFC 3339's, and nothing looser."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from annotated_types import Ge, Gt, Len, MinLen
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta, Struct

from skerry.contract.codec import TextCodec
from skerry.core.errors import ConfigError, Fault, Invalid

from .kinds import Colour, Level


def faults(type: Any, *texts: str, where: str = "query/q") -> list[str]:
    with pytest.raises(Invalid) as refused:
        TextCodec.of(type).decode(texts, where)
    assert {fault.pointer for fault in refused.value.errors} == {where}
    return [fault.detail for fault in refused.value.errors]


@pytest.mark.parametrize(
    ("type", "texts", "value"),
    [
        (str, ["a,b"], "a,b"),
        (str, [""], ""),
        (str | None, ["null"], "null"),
        (int, ["-5"], -5),
        (int, ["9" * 30], int("9" * 30)),
        (float, ["1e3"], 1000.0),
        (bool, ["true"], True),
        (bool, ["0"], False),
        (Decimal, ["1.50"], Decimal("1.50")),
        (date, ["2026-01-31"], date(2026, 1, 31)),
        (datetime, ["2026-01-31T12:00:00Z"], datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (timedelta, ["P1D"], timedelta(days=1)),
        (UUID, ["5e2f1f0e-7c0b-4b3e-9d53-0c1f4a0f6b11"], UUID("5e2f1f0e7c0b4b3e9d530c1f4a0f6b11")),
        (Colour, ["red"], Colour.RED),
        (Level, ["2"], Level.HIGH),
        (Literal["a", 1, True], ["1"], 1),
        (int | str, ["5"], 5),
        (int | str, ["x"], "x"),
        (int | None, [], None),
        (list[int], ["1", "2"], [1, 2]),
        (list[int], [], []),
        (list[int] | None, [], None),
        (set[str], ["a", "a"], {"a"}),
        (tuple[int, ...], ["1"], (1,)),
        (Annotated[int, Ge(1)] | None, ["1"], 1),
        (Annotated[list[Annotated[int, Gt(0)]], Len(1, 2)], ["1"], [1]),
    ],
)
def test_text_becomes_a_value_and_text_again(type: Any, texts: list[str], value: Any) -> None:
    codec = TextCodec.of(type)
    found = codec.decode(texts, "query/q")
    assert found == value
    assert found.__class__ is value.__class__
    assert codec.decode(codec.encode(found), "query/q") == value


@pytest.mark.parametrize(
    ("type", "text"),
    [
        *[(int, text) for text in ["", " 1", "1_0", "+1", "01", "1.0", "1e2", "１", "9" * 5000]],
        *[(float, text) for text in ["nan", "NaN", "inf", "-Infinity", "1e999", "1_0", " 1", ".5"]],
        *[(Decimal, text) for text in ["NaN", "sNaN", "Infinity", "1_0", " 1", "１", "1e9999999"]],
        *[(bool, text) for text in ["yes", "", "2"]],
        (date, "2026-02-30"),
        (datetime, "2026-01-31"),
        (UUID, "x"),
        (Colour, "RED"),
        (Level, "3"),
        (Literal["a", 1], "b"),
        (int | None, "null"),
        (int | None, ""),
        (Annotated[int, Gt(0)], "0"),
        (Annotated[Decimal, Meta(gt=0)], "-0.01"),
        (Annotated[str, MinLen(1)], ""),
        (int | date, "x"),
    ],
)  # fmt: skip
def test_text_that_is_refused(type: Any, text: str) -> None:
    (detail,) = faults(type, text)
    assert detail.startswith("expected ")


def test_wording() -> None:
    assert faults(Annotated[int, Ge(1), Meta(le=9)] | None, "0") == [
        'expected an integer >= 1 and <= 9, got "0"'
    ]
    assert faults(int) == ["is required"]
    assert faults(int, "1", "2") == ["is given 2 times"]
    assert faults(Annotated[list[int], MinLen(2)], "1") == [
        "expected a list of at least 2 items, got 1"
    ]


def test_every_wrong_item_is_a_fault() -> None:
    assert faults(list[int], "1", "x", "y") == [
        'expected an integer, got "x"',
        'expected an integer, got "y"',
    ]


def test_lists_are_separated_by_commas_outside_of_queries() -> None:
    codec = TextCodec.of(list[str])
    assert codec.decode(["a, b", "c"], "header/x-tags") == ["a", "b", "c"]
    assert codec.decode(["a,b"], "path/tags") == ["a", "b"]
    assert codec.decode(["a,b"], "query/tags") == ["a,b"]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), Decimal("NaN")])
def test_no_nan_is_written(bad: Any) -> None:
    with pytest.raises(ValueError, match="NaN"):
        TextCodec.of(Any).encode(bad)


@pytest.mark.parametrize("type", [dict[str, int], list[list[int]], Struct, tuple[int, str]])
def test_types_that_text_cannot_carry(type: Any) -> None:
    with pytest.raises(ConfigError):
        TextCodec(type)


_TYPES = [
    int, float, bool, Decimal, date, datetime, timedelta, UUID, Colour, Level, Literal["a", 1],
    int | None, int | str, list[int], set[Decimal], Annotated[Decimal, Gt(0)], bytes,
]  # fmt: skip


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.sampled_from(_TYPES),
    st.lists(st.text(max_size=8) | st.text("0123456789.eE+-TZP:", max_size=8), max_size=3),
    st.sampled_from(["query/q", "header/h"]),
)
def test_any_text_at_all(type: Any, texts: list[str], where: str) -> None:
    """Nothing but Invalid comes out; what is taken can be written, and reads the same again."""
    codec = TextCodec.of(type)
    try:
        value = codec.decode(texts, where)
    except Invalid as refused:
        found: list[Fault] = refused.errors
        if not found or len(set(found)) < len(found):
            pytest.fail("faults are missing or repeated")
    else:
        assert codec.decode(codec.encode(value), "query/q") == value
