"""Constraints, from wherever they are written, as one kind of value.

``msgspec.Meta`` and ``annotated-types`` say the same things in different words. Here both become
``Rule``: something that can be tested, told to a person, and written into JSON Schema.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from typing import Any, Literal

import annotated_types as at
from msgspec import Meta

Name = Literal[
    "gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern", "timezone",
    "predicate",
]  # fmt: skip
Test = Callable[[Any], bool]

ORDERED = frozenset({"int", "float", "decimal", "str", "datetime", "date", "time", "timedelta"})
# What each rule makes sense for, and for which of those msgspec enforces a Meta by itself.
APPLIES: dict[str, frozenset[str]] = {
    **dict.fromkeys(("gt", "ge", "lt", "le"), ORDERED),
    "multiple_of": frozenset({"int", "float", "decimal"}),
    **dict.fromkeys(("min_length", "max_length"), frozenset({"str", "bytes", "array", "mapping"})),
    "pattern": frozenset({"str"}),
    "timezone": frozenset({"datetime", "time"}),
}
NATIVE: dict[str, frozenset[str]] = {
    **dict.fromkeys(("gt", "ge", "lt", "le", "multiple_of"), frozenset({"int", "float"})),
    **{name: APPLIES[name] for name in ("min_length", "max_length", "pattern", "timezone")},
}
_META = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern")
_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


@dataclass(frozen=True, slots=True)
class Rule:
    """One constraint.

    Attributes:
        bound: what to compare with: a number or a date; a length; a regular expression; for
            ``timezone`` what ``annotated_types.Timezone`` takes; for ``predicate`` a function.
        meta: whether a ``msgspec.Meta`` said so.
    """

    name: Name
    bound: Any
    meta: bool = False

    def applies(self, kind: str) -> bool:
        """Whether the rule makes sense for a kind of shape."""
        return self.name == "predicate" or kind == "any" or kind in APPLIES[self.name]

    def native(self, kind: str) -> bool:
        """Whether msgspec enforces the rule on this kind of shape."""
        return self.meta and self.name in NATIVE and kind in NATIVE[self.name]


@dataclass(frozen=True, slots=True)
class Notes:
    """What an annotation says to people.

    Attributes:
        extra: members for the JSON Schema, as they are.
    """

    title: str = ""
    description: str = ""
    examples: tuple[Any, ...] = ()
    extra: tuple[tuple[str, Any], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.title or self.description or self.examples or self.extra)


def read(annotations: Iterable[Any]) -> tuple[tuple[Rule, ...], Notes]:
    """The rules and notes in the arguments of an ``Annotated``; anything else is ignored."""
    rules: list[Rule] = []
    said: dict[str, Any] = {}
    for note in annotations:
        if isinstance(note, Meta):
            rules.extend(_from_meta(note))
            said.update(
                (name, value)
                for name in ("title", "description", "examples")
                if (value := getattr(note, name))
            )
            if note.extra_json_schema:
                said["extra"] = tuple(note.extra_json_schema.items())
        elif isinstance(note, Rule):
            rules.append(note)
        else:
            rules.extend(_from_annotated_types(note))
            text = getattr(note, "documentation", None)
            if isinstance(text, str):
                said["description"] = text
    if "examples" in said:
        said["examples"] = tuple(said["examples"])
    return tuple(rules), Notes(**said)


def _from_meta(meta: Meta) -> Iterator[Rule]:
    for name in _META:
        bound = getattr(meta, name)
        if bound is not None:
            yield Rule(name, bound, meta=True)  # type: ignore[arg-type]
    if meta.tz is not None:
        yield Rule("timezone", ... if meta.tz else None, meta=True)


def _from_annotated_types(note: Any) -> Iterator[Rule]:
    match note:
        case at.Gt(bound):
            yield Rule("gt", bound)
        case at.Ge(bound):
            yield Rule("ge", bound)
        case at.Lt(bound):
            yield Rule("lt", bound)
        case at.Le(bound):
            yield Rule("le", bound)
        case at.MultipleOf(bound):
            yield Rule("multiple_of", bound)
        case at.MinLen(bound):
            yield Rule("min_length", bound)
        case at.MaxLen(bound):
            yield Rule("max_length", bound)
        case at.Timezone(zone):
            yield Rule("timezone", zone)
        case at.Predicate(function):
            yield Rule("predicate", function)
        case at.GroupedMetadata():  # Interval, Len
            for part in note:
                yield from _from_annotated_types(part)


def bound_for(rule: Rule, kind: str) -> Any:
    """The bound in the type of what it is compared with.

    ``0.1`` as a bound of a decimal means a tenth, not the binary fraction next to it.
    """
    if kind == "decimal" and isinstance(rule.bound, (int, float)):
        return Decimal(repr(rule.bound))
    return rule.bound


def test(rule: Rule, kind: str) -> Test:
    """A function that says whether a value keeps the rule. It does not raise."""
    bound = bound_for(rule, kind)
    match rule.name:
        case "gt":
            plain: Test = lambda value: value > bound  # noqa: E731
        case "ge":
            plain = lambda value: value >= bound  # noqa: E731
        case "lt":
            plain = lambda value: value < bound  # noqa: E731
        case "le":
            plain = lambda value: value <= bound  # noqa: E731
        case "multiple_of":
            plain = lambda value: is_multiple(value, bound)  # noqa: E731
        case "min_length":
            plain = lambda value: len(value) >= bound  # noqa: E731
        case "max_length":
            plain = lambda value: len(value) <= bound  # noqa: E731
        case "pattern":
            search = re.compile(bound).search
            plain = lambda value: search(value) is not None  # noqa: E731
        case "timezone":
            plain = _zone_test(bound)
        case "predicate":
            plain = lambda value: bool(bound(value))  # noqa: E731
    if kind in ("int", "float", "decimal") and rule.name in _SIGNS:
        return plain  # two numbers always compare

    def guarded(value: Any) -> bool:
        try:
            return plain(value)
        except (TypeError, ValueError, ArithmeticError, AttributeError):
            return False  # a naive time against an aware one, a predicate that would not have it

    return guarded


def is_multiple(value: Any, step: Any) -> bool:
    """Whether ``value`` is ``step`` times an integer, exactly and as written.

    0.3 is a multiple of 0.1 here. Exponents may be huge (``1E+999999``), so powers of ten are
    never written out: the remainder is found by modular arithmetic.
    """
    if isinstance(value, int) and isinstance(step, int):
        return value % step == 0
    if isinstance(value, float) and not math.isfinite(value):
        return False
    digits, exponent = _scientific(value)
    step_digits, step_exponent = _scientific(step)
    shift = exponent - step_exponent
    if shift >= 0:
        return digits * pow(10, shift, step_digits) % step_digits == 0
    if -shift > len(str(digits)):  # smaller than any multiple but zero
        return digits == 0
    return digits % int(step_digits * 10**-shift) == 0


def _scientific(number: Any) -> tuple[int, int]:
    exact = number if isinstance(number, Decimal) else Decimal(repr(number))
    _, digits, exponent = exact.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"{number} is not a finite number")  # noqa: TRY004
    return int(Decimal((0, digits, 0))), exponent


def _zone_test(zone: Any) -> Test:
    if zone is None:
        return lambda value: value.tzinfo is None
    if zone is ...:
        return lambda value: value.tzinfo is not None
    wanted = _zone(zone) if isinstance(zone, str) else zone
    # JSON carries an offset and not the zone's name, so the offset at that time has to agree.
    return lambda value: (
        value.tzinfo is not None and value.utcoffset() == value.astimezone(wanted).utcoffset()
    )


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def tell(rule: Rule, kind: str) -> str:
    """The rule as part of "expected a number …"."""
    bound = rule.bound
    match rule.name:
        case "gt" | "ge" | "lt" | "le":
            return f"{_SIGNS[rule.name]} {bound}"
        case "multiple_of":
            return f"that is a multiple of {bound}"
        case "min_length" | "max_length":
            unit = {"str": "character", "bytes": "byte", "mapping": "member"}.get(kind, "item")
            most = "at least" if rule.name == "min_length" else "at most"
            return f"of {most} {bound} {unit}{'' if bound == 1 else 's'}"
        case "pattern":
            return f"that matches {bound}"
        case "timezone":
            zone = "an offset from UTC" if bound is ... else f"the offset of {bound}"
            return "without an offset from UTC" if bound is None else f"with {zone}"
        case "predicate":
            return f"that satisfies {_called(bound)}"


def _called(function: Any) -> str:
    name = getattr(function, "__qualname__", None) or repr(function)
    return "this field's condition" if "<lambda>" in name else name.rpartition(".")[2]
