"""By which property, and which of its values, the records of a contract are told apart."""

from __future__ import annotations

from collections.abc import Iterator

from .shapes import (
    Alias,
    Api,
    ListOf,
    Literals,
    MapOf,
    Nullable,
    Record,
    Ref,
    Shape,
    TupleOf,
    Union,
)


def tags_of(api: Api) -> dict[str, tuple[str, str]]:
    """The property and value that tell each record apart, for records that some union needs to
    tell apart, and that no two unions tell apart differently.

    A union's own discriminator counts; where it has none, a required property with another
    constant in each member is one, whether the contract says so or not.
    """
    return _Tagger(api).tags()


class _Tagger:
    def __init__(self, api: Api) -> None:
        self._api = api

    def tags(self) -> dict[str, tuple[str, str]]:
        tags: dict[str, tuple[str, str]] = {}
        for shape in self._unions():
            keys = [m.key for m in self._flat(shape) if isinstance(m, Ref)]
            keys = [k for k in keys if isinstance(self._api.named.get(k), Record)]
            found = self._told_apart(shape, keys)
            if found and all(tags.get(k, found[k]) == found[k] for k in keys):
                tags.update(found)
        return tags

    def _unions(self) -> Iterator[Union]:
        queue: list[Shape] = []
        for named in self._api.named.values():
            match named:
                case Record():
                    queue += [f.shape for f in named.fields]
                case Alias():
                    queue.append(named.shape)
        for refusal in self._api.refusals.values():
            queue += [f.shape for f in refusal.fields]
        for operation in self._api.operations:
            queue += [a.shape for a in operation.answers]
            if operation.payload is not None:
                queue.append(operation.payload.shape)
        # Those with a tag of their own first: what a contract says goes before what we infer.
        found = [s for shape in queue for s in _deep(shape) if isinstance(s, Union)]
        yield from sorted(found, key=lambda union: not union.tag)

    def _flat(self, shape: Union) -> Iterator[Shape]:
        for member in shape.members:
            named = self._api.named.get(member.key) if isinstance(member, Ref) else None
            inner = named.shape if isinstance(named, Alias) else member
            inner = inner.inner if isinstance(inner, Nullable) else inner
            if isinstance(inner, Union) and inner is not shape:
                yield from inner.members
            else:
                yield member

    def _told_apart(self, shape: Union, keys: list[str]) -> dict[str, tuple[str, str]]:
        if len(keys) < 2 or len(set(keys)) != len(keys):
            return {}
        candidates = [shape.tag] if shape.tag else self._constants(keys[0])
        for name in candidates:
            said: dict[str, list[str]] = {}
            for key, value in shape.tags:
                said.setdefault(key, []).append(value)
            values = {key: self._tag_value(key, name, said.get(key, [])) for key in keys}
            if None not in values.values() and len(set(values.values())) == len(keys):
                return {key: (name, str(value)) for key, value in values.items()}
        return {}

    def _constants(self, key: str) -> list[str]:
        record = self._api.named[key]
        assert isinstance(record, Record)
        return [f.name for f in record.fields if f.required and single(f.shape) is not None]

    def _tag_value(self, key: str, name: str, said: list[str]) -> str | None:
        record = self._api.named[key]
        assert isinstance(record, Record)
        own = next((f for f in record.fields if f.name == name), None)
        if own is not None and isinstance(own.shape, Literals):
            value = single(own.shape)
            return value if value is not None and (not said or said == [value]) else None
        return said[0] if len(said) == 1 else None


def inside(shape: Shape) -> list[Shape]:
    match shape:
        case ListOf(inner) | MapOf(inner) | Nullable(inner):
            return [inner]
        case Union(members) | TupleOf(members):
            return list(members)
    return []


def _deep(shape: Shape) -> Iterator[Shape]:
    yield shape
    for inner in inside(shape):
        yield from _deep(inner)


def single(shape: Shape) -> str | None:
    """The only string that a shape allows, if there is one."""
    if isinstance(shape, Literals) and len(shape.values) == 1:
        value = shape.values[0]
        return value if isinstance(value, str) else None
    return None
