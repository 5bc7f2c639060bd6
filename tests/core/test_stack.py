from __future__ import annotations

import itertools

import pytest

from skerry.core.errors import ConfigError
from skerry.core.service import Filter, Service, apply
from skerry.core.stack import Slot, Stack


def named(name: str) -> Filter[str, str]:
    async def filter(request: str, service: Service[str, str]) -> str:
        return f"{name}({await service(request)})"

    return filter


async def echo(request: str) -> str:
    return request


def three() -> list[Slot[str, str]]:
    return [
        Slot("outer", "it must see everything", (), named("outer")),
        Slot("middle", "it must see what inner does", ("outer",), named("middle")),
        Slot("inner", "it is next to the service", ("middle", "outer"), named("inner")),
    ]


async def test_slots_apply_outermost_first() -> None:
    assert await Stack(*three()).build(echo)("x") == "outer(middle(inner(x)))"


def test_every_other_order_is_refused() -> None:
    slots = three()
    for order in itertools.permutations(slots):
        if list(order) == slots:
            continue
        with pytest.raises(ConfigError, match="must stand below"):
            Stack(*order)


async def test_an_empty_slot_keeps_its_place_and_costs_nothing() -> None:
    stack = Stack(*three()).put("middle", None)
    assert [slot.role for slot in stack] == ["outer", "middle", "inner"]
    assert await stack.build(echo)("x") == "outer(inner(x))"
    assert stack.put("outer", None).put("inner", None).build(echo) is echo


async def test_a_slot_of_ones_own() -> None:
    stack = Stack(*three()).insert(Slot("mine", "I say so", (), named("mine")), after="outer")
    assert await stack.build(echo)("x") == "outer(mine(middle(inner(x))))"


def test_roles_are_unique_and_known() -> None:
    with pytest.raises(ConfigError, match="two slots named 'outer'"):
        Stack(three()[0], three()[0])
    with pytest.raises(ConfigError, match=r"no slot named 'iner'\. Did you mean 'inner'\?"):
        Stack(*three()).put("iner", None)
    with pytest.raises(ConfigError, match=r"no slot named 'zzz'\. There is inner, middle, outer\."):
        Stack(*three()).insert(Slot("mine", "I say so"), after="zzz")


async def test_a_filter_may_call_its_service_never_or_often() -> None:
    async def never(request: str, service: Service[str, str]) -> str:
        return "no"

    async def twice(request: str, service: Service[str, str]) -> str:
        return await service(request) + await service(request)

    assert await apply(never, echo)("x") == "no"
    assert await apply(twice, echo)("x") == "xx"
