"""The types that the tests of this folder share: one of everything a contract may hold."""

from __future__ import annotations

import dataclasses
import enum
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NotRequired,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import attrs
from annotated_types import Ge, Gt, Interval, Le, Len, MinLen, MultipleOf, Predicate, Timezone
from msgspec import UNSET, Meta, Struct, UnsetType
from pydantic import BaseModel, Field
from typing_extensions import Doc

T = TypeVar("T")


class Colour(enum.Enum):
    """What it looks like."""

    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class NewQuote(Struct):
    """What a payer asks for."""

    school_id: str
    amount: Annotated[Decimal, Gt(0), Doc("In the school's currency.")]
    pay_in: Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217.", examples=["EUR"])]


class Cat(Struct, tag="cat"):
    lives: Annotated[int, Le(9)] = 9


class Dog(Struct, tag="dog"):
    name: str


class Node(Struct):
    """Refers to itself."""

    weight: Annotated[Decimal, Meta(ge=0)] | None = None
    children: list[Node] = []
    by_name: dict[str, Node] = {}


class Page(Struct, Generic[T]):
    items: list[T]
    next: str | None = None


class Closed(Struct, forbid_unknown_fields=True, rename="camel"):
    first_name: str
    last_name: str = ""


class Positional(Struct, array_like=True):
    x: int
    y: Annotated[Decimal, Gt(0)] = Decimal(1)


class Guarded(Struct):
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low must not be above high")


@dataclasses.dataclass
class Address:
    street: str
    number: Annotated[int, Interval(gt=0, le=999)]
    flat: str | None = None


class Options(TypedDict):
    verbose: bool
    ratio: NotRequired[Annotated[float, Interval(ge=0, le=1)]]


class Point(NamedTuple):
    x: Annotated[float, Ge(0)]
    label: str = ""


@attrs.define
class Parcel:
    weight: Annotated[Decimal, Gt(0)]
    tags: list[str] = attrs.field(factory=list)


class Customer(BaseModel):
    name: str = Field(min_length=1)
    age: int = 0
    score: float = 0.0


class Everything(Struct):
    price: Annotated[Decimal, Interval(gt=0, le=1000), MultipleOf(Decimal("0.01"))]
    when: Annotated[datetime, Timezone(...)] | None = None
    day: date | None = None
    at: time | None = None
    wait: timedelta | None = None
    id: UUID | None = None
    data: Annotated[bytes, Len(0, 4)] = b""
    colour: Colour = Colour.RED
    level: Level | None = None
    choice: Literal["a", 1, None] = None
    pet: Cat | Dog | None = None
    pets: list[Cat | Dog] = []
    names: Annotated[list[Annotated[str, MinLen(1)]], Len(0, 3)] = []
    numbers: dict[str, Annotated[Decimal, Ge(0)]] = {}
    scores: dict[int, float] = {}
    pair: tuple[int, str] | None = None
    either: int | str | UnsetType = UNSET
    even: Annotated[int, Predicate(lambda n: n % 2 == 0)] = 0
    address: Address | None = None
    options: Options | None = None
    point: Point | None = None
    parcel: Parcel | None = None
    extra: Any = None


RECORDS: list[Any] = [
    NewQuote, Cat | Dog, list[Cat | Dog], Node, Page[NewQuote], Page[Annotated[Decimal, Gt(0)]],
    Closed, Positional, Guarded, Address, Options, Point, Parcel, Everything, Customer,
    list[Customer], dict[str, Customer], Customer | None,
]  # fmt: skip
LEAVES: list[Any] = [
    int, float, bool, str, bytes, Decimal, datetime, date, time, timedelta, UUID, None, Any,
    Colour, Level, Literal["a", 1, None], int | float, int | str | None, float | Decimal,
    Annotated[int, Gt(0)], Annotated[int, Meta(multiple_of=3)],
    Annotated[float, Interval(ge=0, lt=1)],
    Annotated[Decimal, Interval(gt=-5, lt=Decimal("12.5"))], Annotated[Decimal, MultipleOf(0.01)],
    Annotated[str, Len(2, 3)], Annotated[str, Meta(pattern="^a+$")], Annotated[bytes, Len(1, 2)],
    Annotated[datetime, Timezone(None)], Annotated[date, Gt(date(2026, 1, 1))],
    Annotated[int | None, Meta(ge=3)], Annotated[Decimal | None, Meta(le=2)],
    list[int], set[int], frozenset[str], tuple[int, ...], tuple[int, str], dict[str, int],
    dict[int, Decimal], dict[date, int], dict[Decimal, bool], dict[Colour, int], dict[float, int],
    Annotated[list[int], Len(1, 2)], Annotated[set[int], MinLen(2)],
    Annotated[dict[str, int], Len(1)], list[Annotated[Decimal, Gt(0)] | None],
    dict[Annotated[str, MinLen(2)], list[Decimal]],
]  # fmt: skip
JSON_TYPES = ["null", "boolean", "integer", "number", "string"]
