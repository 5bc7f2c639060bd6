"""The slow second pass: everything that is wrong with a body, each with its pointer.

It runs only after a body was refused, so it is written to be complete rather than fast, within
bounds: what the fast path takes is not looked into again, so the cost is that of the faulty parts.
It stops after ``LIMIT`` faults, at ``DEPTH`` levels, and when it has decoded the body
``ROUNDS`` times over: a body made to be slow to refuse is refused with what was found by then.

Whether a leaf fits is decided by the very decoder of the fast path, on the same bytes. So the two
passes cannot disagree about what a date is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from skerry.core.errors import Fault

from . import foreign, rules, shape
from .check import Check, compile_check
from .pointer import join
from .shape import Shape
from .words import a_list, expected, shown

LIMIT = 100
DEPTH = 64
ROUNDS = 5
_SMALL = 1 << 18  # bytes that may be decoded however small the body

_raw_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_raw_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_KINDS = {ord("{"): "object", ord("["): "array", ord('"'): "text", ord("n"): "null"}
_KINDS |= {ord("t"): "bool", ord("f"): "bool"}
_NO_FIELD = "is not a field here"
_SCALAR_KINDS = {
    "null": ("null",),
    "bool": ("bool",),
    "int": ("integer",),
    "float": ("integer", "number"),
    "decimal": ("integer", "number", "text"),
}


class Enough(Exception):
    """One of the bounds is reached; says which."""


def explain(root: Shape, body: bytes, *, strict: bool) -> list[Fault]:
    """All faults of a body that is JSON; none twice.

    Args:
        strict: whether fields that the type does not have are faults.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: it is not JSON after all.
    """
    text = body.strip()
    search = Search(work=ROUNDS * len(text) + _SMALL)
    rest: list[Fault] = []
    try:
        search.look(root, text, "#", 0)
        if strict:
            for pointer in unknown(root, text):
                search.fault(pointer, _NO_FIELD)
    except Enough as reason:
        rest.append(Fault("#", str(reason)))
    except RecursionError:
        pass
    return [*dict.fromkeys(search.faults), *rest]


def unknown(root: Shape, body: bytes) -> list[str]:
    """Pointers of the fields that the type does not have, up to ``LIMIT`` of them."""
    search = Search(listing=True)
    try:
        search.look(root, body.strip(), "#", 0)
    except Enough:
        pass
    return search.unknown


class Search:
    """One walk over a body.

    Args:
        listing: look for unknown fields everywhere, instead of for faults where there are some.
        work: bytes that may be decoded.

    Attributes:
        faults: what was found so far.
        unknown: pointers of fields that the type does not have, when they are looked for.
    """

    def __init__(self, *, listing: bool = False, work: int = 0) -> None:
        self.faults: list[Fault] = []
        self.unknown: list[str] = []
        self._listing = listing
        self._work = work

    def fault(self, pointer: str, detail: str) -> None:
        if self._listing:
            return
        if len(self.faults) >= LIMIT:
            raise Enough(f"there are more; these are the first {LIMIT}")
        self.faults.append(Fault(pointer, detail))

    def _unknown(self, pointer: str, closed: bool) -> None:
        if self._listing:
            if len(self.unknown) >= LIMIT:
                raise Enough
            self.unknown.append(pointer)
        elif closed:
            self.fault(pointer, _NO_FIELD)

    def _fits(self, at: Shape, text: bytes) -> bool:
        if not self._listing:
            self._work -= len(text)
            if self._work < 0:
                raise Enough("there may be more; the rest of the body was not looked into")
        return fits(at, text)

    def look(self, at: Shape, text: bytes, pointer: str, depth: int) -> None:
        """Find the faults of ``text`` as an ``at``."""
        if not self._listing and self._fits(at, text):
            return
        if depth > DEPTH:
            self.fault(pointer, f"expected {expected(at)}")
            return
        before = len(self.faults)
        match at:
            case shape.Limited():
                self._limited(at, text, pointer, depth)
            case shape.Union():
                self._union(at, text, pointer, depth)
            case shape.Array():
                self._array(at, text, pointer, depth)
            case shape.Row():
                self._row(at, text, pointer, depth)
            case shape.Mapping():
                self._mapping(at, text, pointer, depth)
            case shape.Record():
                self._record(at, text, pointer, depth)
            case shape.Model():
                self._model(at, text, pointer)
            case _:
                self.wrong(at, text, pointer)
        if len(self.faults) == before and not self._listing:
            self._last_resort(at, text, pointer)

    def wrong(self, at: Shape, text: bytes, pointer: str) -> None:
        self.fault(pointer, f"expected {expected(at)}, got {shown(text)}")

    def _last_resort(self, at: Shape, text: bytes, pointer: str) -> None:
        """No part is wrong and the whole is: a hook of the type, or a repeated member."""
        try:
            _value(at, text)
        except msgspec.ValidationError as error:
            self.fault(pointer, str(error).partition(" - at `")[0].replace("`", ""))
        except TypeError as error:
            self.fault(pointer, str(error))
        else:
            self.wrong(at, text, pointer)

    def _limited(self, at: shape.Limited, text: bytes, pointer: str, depth: int) -> None:
        before = len(self.faults)
        if isinstance(shape.bare(at), (shape.Scalar, shape.Choice, shape.Anything)):
            self.wrong(at, text, pointer)
            return
        self.look(at.shape, text, pointer, depth)
        if self._listing or len(self.faults) > before or kind_of(text) not in ("array", "object"):
            return
        value = _value(shape.bare(at), text)
        for rule in at.rules:
            if not rules.test(rule, at.kind)(value):
                got = f", got {len(value)}" if rule.name.endswith("length") else ""
                self.fault(
                    pointer, f"expected {expected(shape.bare(at))} {rules.tell(rule, at.kind)}{got}"
                )

    def _union(self, at: shape.Union, text: bytes, pointer: str, depth: int) -> None:
        kind = kind_of(text)
        arms = [arm for arm in at.arms if kind in kinds(arm)]
        tagged = [arm for arm in arms if isinstance(arm, shape.Record) and arm.tag]
        if len(tagged) > 1:
            arm = self._by_tag(tagged, text, pointer)
            arms = [arm] if arm else []
            if arm is None:
                return
        if not arms:
            self.wrong(at, text, pointer)
            return
        fitting = arms if len(arms) == 1 else [arm for arm in arms if self._fits(arm, text)]
        self.look((fitting or arms)[0], text, pointer, depth + 1)

    def _by_tag(self, arms: list[shape.Record], text: bytes, pointer: str) -> shape.Record | None:
        table = {arm.tag[1]: arm for arm in arms if arm.tag}
        assert arms[0].tag is not None
        key = arms[0].tag[0]
        positional = arms[0].positional
        if positional:
            items = _raw_items(text)
            given = bytes(items[0]) if items else None
        else:
            member = _raw_members(text).get(key)
            given = None if member is None else bytes(member)
        wanted = a_list(table)
        where = join(pointer, 0 if positional else key)
        if given is None:
            self.fault(where, f"is required: {wanted}")
            return None
        tag = msgspec.json.decode(given) if kind_of(given) in ("text", "integer") else None
        if tag not in table:
            self.fault(where, f"expected {wanted}, got {shown(given)}")
            return None
        return table[tag]

    def _array(self, at: shape.Array, text: bytes, pointer: str, depth: int) -> None:
        if kind_of(text) != "array":
            self.wrong(at, text, pointer)
            return
        for place, item in enumerate(_raw_items(text)):
            self.look(at.item, bytes(item), join(pointer, place), depth + 1)

    def _row(self, at: shape.Row, text: bytes, pointer: str, depth: int) -> None:
        if kind_of(text) != "array":
            self.wrong(at, text, pointer)
            return
        items = _raw_items(text)
        if len(items) != len(at.items):
            self.fault(pointer, f"expected {expected(at)}, got {len(items)}")
        for place, (part, item) in enumerate(zip(at.items, items, strict=False)):
            self.look(part, bytes(item), join(pointer, place), depth + 1)

    def _mapping(self, at: shape.Mapping, text: bytes, pointer: str, depth: int) -> None:
        if kind_of(text) != "object":
            self.wrong(at, text, pointer)
            return
        members = _raw_members(text)
        names = shape.Mapping(dict[at.key.type, None], at.key, shape.Scalar(None, "null"))  # type: ignore[name-defined]
        named_well = self._listing or fits(names, msgspec.json.encode(dict.fromkeys(members)))
        for key, value in members.items():
            where = join(pointer, key)
            if not (named_well or fits(names, msgspec.json.encode({key: None}))):
                name = shown(msgspec.json.encode(key))
                self.fault(where, f"expected a name that is {expected(at.key)}, got {name}")
            self.look(at.value, bytes(value), where, depth + 1)

    def _record(self, at: shape.Record, text: bytes, pointer: str, depth: int) -> None:
        if kind_of(text) != ("array" if at.positional else "object"):
            self.wrong(at, text, pointer)
        elif at.positional:
            self._positions(at, _raw_items(text), pointer, depth)
        else:
            self._members(at, _raw_members(text), pointer, depth)

    def _members(
        self, at: shape.Record, members: dict[str, msgspec.Raw], pointer: str, depth: int
    ) -> None:
        keys = {field.key for field in at.fields}
        if at.tag is not None:
            keys.add(at.tag[0])
            self._tag(at, members.get(at.tag[0]), join(pointer, at.tag[0]))
        for field in at.fields:
            where = join(pointer, field.key)
            if field.key in members:
                self.look(field.shape, bytes(members[field.key]), where, depth + 1)
            elif field.required:
                self.fault(where, "is required")
        for key in members:
            if key not in keys:
                self._unknown(join(pointer, key), at.closed)

    def _tag(self, at: shape.Record, given: msgspec.Raw | None, where: str) -> None:
        assert at.tag is not None
        if given is None:
            return  # alone, a record does not need its tag
        text = bytes(given)
        if kind_of(text) not in ("text", "integer") or msgspec.json.decode(text) != at.tag[1]:
            self.fault(where, f"expected {a_list([at.tag[1]])}, got {shown(text)}")

    def _positions(
        self, at: shape.Record, items: list[msgspec.Raw], pointer: str, depth: int
    ) -> None:
        first = 0
        if at.tag is not None:
            first = 1
            self._tag(at, items[0] if items else None, join(pointer, 0))
        for place, field in enumerate(at.fields, first):
            where = join(pointer, place)
            if place < len(items):
                self.look(field.shape, bytes(items[place]), where, depth + 1)
            elif field.required:
                self.fault(where, f"is required: {field.name}")
        for place in range(first + len(at.fields), len(items)):
            self._unknown(join(pointer, place), at.closed)

    def _model(self, at: shape.Model, text: bytes, pointer: str) -> None:
        for path, detail in () if self._listing else foreign.faults_of(at.type, text):
            where = pointer
            for step in path:
                where = join(where, step)
            self.fault(where, detail)
        if self._listing and kind_of(text) == "object":
            for key in foreign.unknown_of(at.type, text):
                self._unknown(join(pointer, key), closed=False)


def kind_of(text: bytes) -> str:
    """null, bool, integer, number, text, array or object, by how a JSON value is written."""
    kind = _KINDS.get(text[0])
    if kind is None:
        return "number" if any(mark in text for mark in b".eE") else "integer"
    return kind


def kinds(of: Shape) -> tuple[str, ...]:
    """The kinds of JSON value that may be an ``of``."""
    inner = shape.bare(of)
    match inner:
        case shape.Scalar():
            return _SCALAR_KINDS.get(inner.name, ("text",))
        case shape.Choice():
            return tuple({kind_of(msgspec.json.encode(value)) for value in inner.values})
        case shape.Array() | shape.Row():
            return ("array",)
        case shape.Record():
            return ("array",) if inner.positional else ("object",)
        case shape.Mapping():
            return ("object",)
        case shape.Union():
            return tuple({kind for arm in inner.arms for kind in kinds(arm)})
    return ("null", "bool", "integer", "number", "text", "array", "object")


def fits(at: Shape, text: bytes) -> bool:
    """Whether the fast path would take ``text`` as an ``at``.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: it is not JSON.
    """
    decode, check = _fast_path(at)
    try:
        value = decode(text)
    except (msgspec.ValidationError, TypeError):
        return False
    return check is None or check(value)


_FastPath = tuple[Callable[[bytes], Any], Check | None]
_fast_paths: WeakKeyDictionary[Shape, _FastPath] = WeakKeyDictionary()


def _fast_path(at: Shape) -> _FastPath:
    known = _fast_paths.get(at)
    if known is None:
        decode = msgspec.json.Decoder(at.type, dec_hook=foreign.dec_hook).decode
        known = _fast_paths[at] = (decode, compile_check(at))
    return known


def _value(at: Shape, text: bytes) -> Any:
    return _fast_path(at)[0](text)
