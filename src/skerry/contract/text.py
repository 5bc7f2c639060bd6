"""Text in paths, queries, headers and cookies to values and back.

Text has no types of its own, so ``limit=5`` means whatever the parameter's type makes of it. The
grammar is JSON's for numbers (no ``1_000``, no ``+5``, no NaN) and RFC 3339 for dates; ``true``,
``false``, ``1`` and ``0`` are booleans. Lists repeat in queries (``tag=a&tag=b``) and are
separated by commas elsewhere, as in HTTP (RFC 9110, 5.6.1) and in OpenAPI's defaults.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Generic, TypeVar, get_origin

import msgspec

from skerry.core.errors import ConfigError, Fault

from . import rules, shape
from .faults import invalid
from .places import spelled
from .reader import shape_of
from .shape import Shape
from .words import expected, shown

T = TypeVar("T")
Parse = Callable[[str], Any]

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,4000})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,6})?")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_COMMAS = ("header", "path")


class TextCodec(Generic[T]):
    """Text of one type: a scalar, an enum, a literal, a union of these, or a list of them.

    Raises:
        ConfigError: text cannot carry the type.
    """

    def __init__(self, type: Any) -> None:
        self.type = type
        self.shape = shape_of(type)
        arms = [arm for arm in shape.arms_of(self.shape) if not shape.is_null(arm)]
        self.optional = len(arms) < len(shape.arms_of(self.shape))
        self._many = len(arms) == 1 and isinstance(shape.bare(arms[0]), shape.Array)
        self._tests: list[Callable[[Any], bool]] = []
        if self._many:
            array = shape.bare(arms[0])
            assert isinstance(array, shape.Array)
            self._parse = _parser(array.item, type)
            self._make: Callable[[list[Any]], Any] = _container(array)
            self._wanted: Shape = array.item
            self._tests = _tests(arms[0])
        else:
            self._parse = _parser(self.shape, type)
            self._wanted = self.shape

    @classmethod
    def of(cls, type: Any) -> TextCodec[Any]:
        """The codec of a type, made once."""
        try:
            return _cached(type)
        except TypeError:  # an annotation that has no hash
            return cls(type)

    def decode(self, values: Sequence[str], where: str) -> T:
        """The value of what was given, once for each repeat.

        Args:
            where: ``query/limit``, ``header/x-tenant``, …; goes into the fault.

        Raises:
            Invalid: the text does not mean a value of the type; all faults at once.
        """
        value: T
        if self._many:
            value = self._decode_many(values, where)
            return value
        if len(values) != 1:
            if not values and self.optional:
                return None  # type: ignore[return-value]
            detail = f"is given {len(values)} times" if values else "is required"
            raise invalid([Fault(where, detail)])
        try:
            value = self._parse(values[0])
        except ValueError:
            raise invalid([self._fault(values[0], where)]) from None
        return value

    def _decode_many(self, values: Sequence[str], where: str) -> Any:
        if not values and self.optional:
            return None
        if where.startswith(_COMMAS):
            values = [part.strip() for value in values for part in value.split(",")]
        items: list[Any] = []
        faults: list[Fault] = []
        for text in values:
            try:
                items.append(self._parse(text))
            except ValueError:
                faults.append(self._fault(text, where))
        if faults:
            raise invalid(list(dict.fromkeys(faults)))
        made = self._make(items)
        if not all(test(made) for test in self._tests):
            detail = f"expected {expected(self.shape)}, got {len(made)}"
            raise invalid([Fault(where, detail.replace("an array", "a list"))])
        return made

    def _fault(self, text: str, where: str) -> Fault:
        arms = [arm for arm in shape.arms_of(self._wanted) if not shape.is_null(arm)]
        wanted = " or ".join(dict.fromkeys(expected(arm) for arm in arms))
        given = shown(msgspec.json.encode(text.encode("utf-8", "replace").decode()))
        return Fault(where, f"expected {wanted}, got {given}")

    def encode(self, value: T) -> list[str]:
        """The text of a value: one item for each repeat, none for None.

        Raises:
            ValueError: it is NaN or infinite.
        """
        if value is None:
            return []
        if isinstance(value, (list, tuple, set, frozenset)):
            return [_write(item) for item in value]
        return [_write(value)]


def _write(value: Any) -> str:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return value
    if isinstance(value, (float, Decimal)) and not math.isfinite(value):
        raise ValueError("NaN and the infinities cannot be written as text")
    plain = msgspec.to_builtins(value)
    return plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()


def _parser(at: Shape, whole: Any) -> Parse:
    """A function from text to a value; it raises ValueError."""
    match at:
        case shape.Limited():
            return _limited(_parser(at.shape, whole), _tests(at))
        case shape.Union():
            return _first_of([_parser(arm, whole) for arm in _by_strictness(at)])
        case shape.Choice():
            return _chooser(at)
        case shape.Scalar():
            return _PARSERS.get(at.name) or _converter(at.type)
        case shape.Anything():
            return str
    raise ConfigError(f"{spelled(whole)}: text in a path, a query or a header cannot carry this")


def _by_strictness(union: shape.Union) -> list[Shape]:
    """Members of a union, those that take any text last."""
    arms = [arm for arm in union.arms if not shape.is_null(arm)]
    return sorted(arms, key=lambda arm: arm.kind in ("str", "any"))


def _tests(at: Shape) -> list[Callable[[Any], bool]]:
    found: list[Callable[[Any], bool]] = []
    while isinstance(at, shape.Limited):
        found.extend(rules.test(rule, at.kind) for rule in at.rules)
        at = at.shape
    return found


def _limited(parse: Parse, tests: list[Callable[[Any], bool]]) -> Parse:
    def limited(text: str) -> Any:
        value = parse(text)
        if not all(test(value) for test in tests):
            raise ValueError(text)
        return value

    return limited if tests else parse


def _first_of(parsers: list[Parse]) -> Parse:
    if len(parsers) == 1:
        return parsers[0]

    def first(text: str) -> Any:
        for parse in parsers:
            try:
                return parse(text)
            except ValueError:
                continue
        raise ValueError(text)

    return first


def _chooser(choice: shape.Choice) -> Parse:
    members = isinstance(choice.type, type)
    table = {
        _write(value): choice.type(value) if members else value
        for value in reversed(choice.values)
        if value is not None
    }

    def choose(text: str) -> Any:
        if text in table:
            return table[text]
        if members:
            return choice.type(text)  # it may know other spellings (_missing_)
        raise ValueError(text)

    return choose


def _converter(type: Any) -> Parse:
    return lambda text: msgspec.convert(text, type)


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not math.isfinite(value := float(text)):
        raise ValueError(text)
    return value


def _decimal(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return Decimal(text)


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError(text) from None


_PARSERS: dict[str, Parse] = {
    "str": str,
    "int": _integer,
    "float": _number,
    "decimal": _decimal,
    "bool": _boolean,
}


def _container(array: shape.Array) -> Callable[[list[Any]], Any]:
    origin = get_origin(array.type) or array.type
    if isinstance(origin, type) and issubclass(origin, (list, tuple, set, frozenset)):
        return origin
    return set if array.unique else list


@lru_cache(maxsize=4096)
def _cached(type: Any) -> TextCodec[Any]:
    return TextCodec(type)
