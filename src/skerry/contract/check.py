"""What msgspec does not check, compiled once for each type that needs it.

Most types need nothing, and then there is no check at all. Where one is needed, only the way to
it is walked: of a record with twenty fields and one decimal, the check reads one attribute.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from operator import attrgetter, itemgetter
from typing import Any, get_origin

from . import rules, shape
from .shape import Shape

Check = Callable[[Any], bool]
_CLASSES: dict[str, tuple[type, ...]] = {
    "array": (list, tuple, set, frozenset),
    "row": (tuple,),
    "mapping": (dict,),
}


def compile_check(root: Shape) -> Check | None:
    """A function that says whether a decoded value keeps the rules msgspec does not know.

    None when there are no such rules. The function raises nothing but RecursionError.
    """
    return _Compiler().check(root)


def own_tests(limited: shape.Limited) -> list[Check]:
    """Tests for the rules of a shape that msgspec leaves to us."""
    kind = limited.kind
    return [rules.test(rule, kind) for rule in limited.rules if not rule.native(kind)]


class _Compiler:
    def __init__(self) -> None:
        self._records: dict[int, Check] = {}

    def check(self, of: Shape) -> Check | None:
        if not any(_checked_here(part) for part in shape.reachable(of)):
            return None
        match of:
            case shape.Limited():
                return _fused(of) or _all([self.check(of.shape), *own_tests(of)])
            case shape.Scalar():
                return Decimal.is_finite if of.name == "decimal" else None
            case shape.Array():
                return _each(self.check(of.item))
            case shape.Row():
                return _row([self.check(item) for item in of.items])
            case shape.Mapping():
                return _mapping(_key_check(of.key, self.check(of.key)), self.check(of.value))
            case shape.Union():
                return self._union(of)
            case shape.Record():
                return self._record(of)
        return None

    def _record(self, record: shape.Record) -> Check:
        known = self._records.get(id(record))
        if known is not None:
            return known
        # The record may contain itself: inside, it is checked by a function that looks the
        # finished check up.
        self._records[id(record)] = lambda value: self._records[id(record)](value)
        parts = [
            (field.name, check, field.required)
            for field in record.fields
            if (check := self.check(field.shape)) is not None
        ]
        if record.keyed:
            check = _all([_member(name, check, needed) for name, check, needed in parts])
        else:
            check = _all([_attribute(name, check) for name, check, _ in parts])
        self._records[id(record)] = check or _passes
        return self._records[id(record)]

    def _union(self, union: shape.Union) -> Check | None:
        table: dict[type, Check] = {}
        for arm in union.arms:
            check = self.check(arm)
            if check is not None:
                table.update(dict.fromkeys(_classes(arm), check))
        find = table.get

        def one_of(value: Any) -> bool:
            check = find(type(value))
            return check is None or check(value)

        return one_of


def _checked_here(part: Shape) -> bool:
    match part:
        case shape.Scalar():
            return part.name == "decimal"
        case shape.Limited():
            return any(not rule.native(part.kind) for rule in part.rules)
        case shape.Mapping():
            return _key_check(part.key, None) is not None
    return False


def _classes(arm: Shape) -> tuple[type, ...]:
    """The classes that the values of a union's member have, exactly."""
    inner = shape.bare(arm)
    match inner:
        case shape.Choice():
            return tuple({type(value) for value in inner.values} | {inner.type})
        case shape.Record() if inner.keyed:
            return (dict,)
        case shape.Scalar() | shape.Record() | shape.Model():
            return (get_origin(inner.type) or inner.type,)
    return _CLASSES.get(inner.kind, ())


def _key_check(key: Shape, check: Check | None) -> Check | None:
    # A number as a key is text in JSON, and "NaN" is text that msgspec takes for a number.
    if shape.bare(key).kind == "float":
        finite: Check = lambda value: value - value == 0.0  # noqa: E731
        return _all([finite, check])
    return check


def _fused(limited: shape.Limited) -> Check | None:
    """Finite and above a bound in one call: how amounts of money are nearly always declared."""
    match limited:
        case shape.Limited(shape=shape.Scalar(name="decimal"), rules=(rules.Rule() as rule,)):
            bound = rules.bound_for(rule, "decimal")
            if rule.name == "gt":
                return lambda value: value.is_finite() and value > bound
            if rule.name == "ge":
                return lambda value: value.is_finite() and value >= bound
    return None


def _all(checks: list[Check | None]) -> Check | None:
    parts = [check for check in checks if check is not None]
    if len(parts) < 2:
        return parts[0] if parts else None
    if len(parts) == 2:
        first, second = parts
        return lambda value: first(value) and second(value)

    def every(value: Any) -> bool:
        for check in parts:  # noqa: SIM110 -- all() would make a generator on the fast path
            if not check(value):
                return False
        return True

    return every


def _attribute(name: str, check: Check) -> Check:
    get = attrgetter(name)
    return lambda value: check(get(value))


def _member(name: str, check: Check, needed: bool) -> Check:
    if needed:
        get = itemgetter(name)
        return lambda value: check(get(value))
    return lambda value: name not in value or check(value[name])


def _each(check: Check | None) -> Check | None:
    if check is None:
        return None
    return lambda value: all(map(check, value))


def _row(checks: list[Check | None]) -> Check:
    numbered = [(i, check) for i, check in enumerate(checks) if check is not None]
    return lambda value: all(check(value[i]) for i, check in numbered)


def _mapping(key: Check | None, value: Check | None) -> Check | None:
    parts: list[Check | None] = [
        None if key is None else lambda mapping: all(map(key, mapping)),
        None if value is None else lambda mapping: all(map(value, mapping.values())),
    ]
    return _all(parts)


def _passes(value: Any) -> bool:
    return True
