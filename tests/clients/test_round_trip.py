"""An app's types come back from its contract as they were declared."""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import AsyncIterator
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from types import ModuleType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
import pytest
from annotated_types import Ge, Gt, Le, Len, Lt, MultipleOf, Timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, UnsetType

from skerry import App
from skerry.clients.items import Items
from skerry.clients.made import make
from skerry.clients.operations import read
from skerry.clients.plan import plan
from skerry.contract.openapi import document
from skerry.core.errors import Fault, Problem

from .support import generated


class Side(StrEnum):
    """Which side of the books."""

    DEBIT = "D"
    CREDIT = "C"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Word(Enum):
    RED = "red"
    BLUE = "blue"


class Only(StrEnum):
    ONE = "first"


class Card(Struct, tag_field="kind", tag="card"):
    number: str


class Transfer(Struct, tag_field="kind", tag="transfer"):
    iban: str
    sent: dt.date | None = None


class Cash(Struct, tag_field="kind", tag="cash"):
    coins: dict[str, int]


class Money(Struct):
    """An amount.

    Attributes:
        amount: more than nothing, and what the currency has coins for: a description that is
            longer than a line.
    """

    amount: Annotated[Decimal, Gt(0), Lt(1000000), MultipleOf(Decimal("0.01"))]
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] = "EUR"


class Node(Struct, rename="camel"):
    own_name: str
    children: list[Node] = []
    parent_node: Node | None = None


class Everything(Struct):
    text: str
    count: Annotated[int, Ge(0), Le(9)]
    ratio: float
    yes: bool
    free: Decimal
    bounded: Annotated[Decimal, Ge(0), Le(1)]
    several: Annotated[Decimal | None, Gt(0), Lt(5)]
    when: dt.datetime
    zoned: Annotated[dt.datetime, Timezone(...)]
    local: Annotated[dt.datetime, Timezone(None)]
    day: dt.date
    opens: dt.time
    took: dt.timedelta
    key: UUID
    photo: bytes
    side: Side
    level: Level
    word: Word
    only: Only
    mood: Literal["good", "bad"]
    digit: Literal[1, 2] | None
    money: Money
    paid: Card | Transfer
    maybe: Card | Transfer | None
    mixed: int | str | None
    point: tuple[float, int]
    anything: Any
    sides: list[Side]
    matrix: list[list[Decimal | None]]
    by_name: dict[str, Money]
    deep: dict[str, list[Annotated[Decimal, Gt(0), Lt(5)]] | None]
    ways: Annotated[list[Card | Transfer], Len(1)]
    node: Node
    free_default: Decimal = Decimal("1.50")
    side_default: Side = Side.DEBIT
    none_default: dt.timedelta | None = None
    absent: Money | UnsetType = UNSET
    absent_or_null: dt.time | UnsetType | None = UNSET


class Closed(Problem, status=409):
    """It is closed.

    Members:
        since: when that was.
    """

    since: dt.datetime
    owed: Annotated[Decimal, Gt(0), Lt(5)]
    side: Side
    ways: list[Card | Transfer]


class Wrong(Problem, status=422):
    """Several things are wrong."""

    faults: list[Fault]
    first: Fault | None


class Asked(Struct):
    at: Annotated[Decimal, Gt(0), Lt(5)]
    took: dt.timedelta
    side: Side
    way: Card | Cash
    opens: dt.time | None = None
    least: int = 0


app = App("things", version="1.0.0")


@app.put("/things/{id}", raises=[Closed, Wrong])
async def change(
    id: UUID,
    asked: Asked,
    side: Side,
    most: Annotated[Decimal, Gt(0), Lt(5)] = Decimal("2.5"),
    within: dt.timedelta | None = None,
    sides: list[Side] | None = None,
) -> Everything:
    """Change a thing."""
    raise NotImplementedError


@app.get("/things")
async def watch() -> AsyncIterator[Everything]:
    """All that happens."""
    raise NotImplementedError
    yield


def test_what_was_declared_comes_back(tmp_path: Path) -> None:
    made = generated(document(app.contract()), tmp_path, "things")
    same(Everything, made.Everything, made)
    for problem in (Closed, Wrong):
        found = getattr(made, problem.__name__)
        assert (found.type, found.status, found.title) == (
            problem.type, problem.status, problem.title
        )  # fmt: skip
        hints = get_type_hints(problem)
        assert found.members == problem.members
        for name in problem.members:
            same(hints[name], get_type_hints(found)[name], made)
    assert made.Wrong.__annotations__["faults"] == "list[Fault]"
    assert made.Fault is Fault
    hints = get_type_hints(made.Things.change)
    assert hints["most"] is Decimal
    assert hints["within"] == dt.timedelta | None
    assert hints["sides"] == list[made.Side] | None
    assert hints["id"] is UUID
    assert get_type_hints(made.Things.watch)["return"] == Items[made.Everything]


def test_what_is_sent_leaves_defaults_to_the_server(tmp_path: Path) -> None:
    made = generated(document(app.contract()), tmp_path, "things")
    found, declared = get_type_hints(made.Asked), get_type_hints(Asked)
    for name in ("at", "took", "side", "way"):
        same(declared[name], found[name], made)
    assert found["opens"] == dt.time | None | UnsetType
    assert found["least"] == int | UnsetType
    asked = made.Asked(at=Decimal(1), took=dt.timedelta(1.5), side=made.Side.DEBIT,
                       way=made.Cash(coins={}))  # fmt: skip
    assert msgspec.convert(msgspec.to_builtins(asked), Asked).least == 0


def test_what_was_said_comes_back(tmp_path: Path) -> None:
    made = generated(document(app.contract()), tmp_path, "things")
    assert made.Money.__doc__ == (
        "An amount.\n\n"
        "    Attributes:\n"
        "        amount: more than nothing, and what the currency has coins for: a\n"
        "            description that is longer than a line.\n    "
    )
    assert "since: when that was." in made.Closed.__doc__
    assert made.Node.__doc__ is None
    assert not {"Invalid", "BadRequest", "Problem", "Fault"} & defined(made)


def defined(module: ModuleType) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    }


LEAVES: list[Any] = [
    *(str, int, float, bool, bytes, Decimal, dt.datetime, dt.date, dt.time, dt.timedelta, UUID),
    *(Side, Level, Word, Money, Card | Transfer, Node, Fault, Literal["a", "b"]),
    Annotated[Decimal, Gt(0), Lt(10), MultipleOf(Decimal("0.01"))],
    Annotated[dt.datetime, Timezone(None)],
    Annotated[int, Ge(1), Le(5)],
    tuple[Decimal, Side],
]
_nullable = st.sampled_from(LEAVES).flatmap(lambda t: st.sampled_from([t, t | None]))
TYPES = st.recursive(
    _nullable,
    lambda inner: inner.flatmap(
        lambda t: st.sampled_from([list[t], dict[str, t], list[t] | None])  # type: ignore[valid-type]
    ),
    max_leaves=4,
)
KINDS = st.sampled_from(["required", "nullable", "absent"])


@given(st.lists(st.tuples(TYPES, KINDS), min_size=1, max_size=6), st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_any_types_come_back(
    tmp_path_factory: pytest.TempPathFactory, fields: list[tuple[Any, str]], camel: bool
) -> None:
    kinds: dict[str, Any] = {"required": [], "nullable": [None], "absent": [UNSET]}
    declared = msgspec.defstruct(
        "Thing",
        [
            (f"field_{i}", t if kind == "required" else t | None if kind == "nullable" else
             t | UnsetType, *kinds[kind])
            for i, (t, kind) in enumerate(fields)
        ],
        kw_only=True,
        rename="camel" if camel else None,
    )  # fmt: skip
    problem = types.new_class(
        "Broken", (Problem,), {"status": 409},
        lambda space: space.update(__annotations__={"broken": fields[0][0]}),
    )  # fmt: skip
    things = App("things")

    async def get_thing() -> Any: ...

    get_thing.__annotations__ = {"return": declared}
    things.get("/thing", raises=[problem])(get_thing)
    whole = document(things.contract())
    made = make(plan(read(whole), "things"))
    written = generated(whole, tmp_path_factory.getbasetemp() / "any", "things")
    for space in (types.SimpleNamespace(**{"Fault": Fault, **made.types}), written):
        same(declared, space.Thing, space)
        same(fields[0][0], get_type_hints(space.Broken)["broken"], space)


def same(declared: Any, found: Any, module: Any, seen: frozenset[Any] = frozenset()) -> None:
    """Assert that two types say the same of a value."""
    declared = bare(declared)
    origin = get_origin(declared)
    if origin in (Union, UnionType):
        assert get_origin(found) in (Union, UnionType), (declared, found)
        arms = sorted(map(bare, get_args(declared)), key=label)
        others = sorted(get_args(found), key=label)
        assert len(arms) == len(others), (declared, found)
        for arm, other in zip(arms, others, strict=True):
            same(arm, other, module, seen)
    elif origin is Literal:
        assert set(get_args(declared)) == set(get_args(found))
    elif origin is not None:
        assert get_origin(found) is origin, (declared, found)
        for arm, other in zip(get_args(declared), get_args(found), strict=True):
            same(arm, other, module, seen)
    elif isinstance(declared, type) and issubclass(declared, Enum):
        assert found is getattr(module, declared.__name__)
        assert [(m.name, m.value) for m in declared] == [(m.name, m.value) for m in found]
    elif isinstance(declared, type) and issubclass(declared, Struct):
        assert found is getattr(module, declared.__name__)
        if declared not in seen:
            same_struct(declared, found, module, seen | {declared})
    else:
        assert found is declared, (declared, found)


def same_struct(declared: Any, found: Any, module: Any, seen: frozenset[Any]) -> None:
    config, other = declared.__struct_config__, found.__struct_config__
    assert (config.tag, config.tag_field) == (other.tag, other.tag_field)
    theirs = {field.encode_name: field for field in msgspec.structs.fields(found)}
    ours = {field.encode_name: field for field in msgspec.structs.fields(declared)}
    assert list(theirs) == list(ours)
    for name, field in ours.items():
        hint = field.type
        twin = theirs[name]
        assert twin.required == field.required, name
        same(hint, twin.type, module, seen)
        default = getattr(field.default, "value", field.default)
        assert getattr(twin.default, "value", twin.default) == default, name
        assert twin.default_factory == field.default_factory, name


def bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def label(hint: Any) -> str:
    return str(getattr(hint, "__name__", hint)) + str([label(bare(a)) for a in get_args(hint)])
