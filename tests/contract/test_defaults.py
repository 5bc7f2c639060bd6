from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge
from msgspec import UNSET, Struct, UnsetType
from pydantic import BaseModel

from skerry.contract.codec import Codec
from skerry.contract.defaults import check_default
from skerry.core.errors import ConfigError


class Colour(Enum):
    RED = "red"


class Point(Struct):
    x: int = 0


class Model(BaseModel):
    x: int = 0


@dataclasses.dataclass
class Line:
    note: str = None  # type: ignore[assignment]


class Order(Struct):
    lines: list[Line] = []
    at: date | UnsetType = UNSET


@pytest.mark.parametrize(
    ("type", "value"),
    [
        (int, True),
        (float, 1),
        (Decimal, 0),
        (date, datetime(2026, 1, 1, tzinfo=UTC)),
        (Annotated[int, Ge(1)], 0),
        (int | None, None),
        (Annotated[int | None, Ge(1)], None),
        (Literal["a", 1], 1),
        (Colour, Colour.RED),
        (list[int], ()),
        (Sequence[str], []),
        (tuple[int, str], (1, "a")),
        (Mapping[str, int], {}),
        (Point, Point()),
        (Model, Model()),
        (Model | int | None, None),
        (Any, object()),
        (object, None),
    ],
)
def test_of_the_type(type: Any, value: Any) -> None:
    check_default(type, value)


@pytest.mark.parametrize(
    ("type", "value"),
    [
        (int, "1"),
        (int, None),
        (str, None),
        (Decimal, 0.5),
        (date, "2026-01-01"),
        (Literal["a", "b"], "c"),
        (Colour, "red"),
        (list[str], "ab"),
        (list[str], None),
        (dict[str, int], []),
        (Point, {}),
        (Model, None),
        (int | None, ""),
    ],
)
def test_of_another(type: Any, value: Any) -> None:
    with pytest.raises(ConfigError, match="is not of the type"):
        check_default(type, value)


def test_fields_are_looked_at_wherever_they_are() -> None:
    said = r"^Order\.lines\[\]\.note: the default None is not of the type str"
    with pytest.raises(ConfigError, match=said):
        Codec(Order)
