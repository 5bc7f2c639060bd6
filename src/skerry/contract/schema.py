"""JSON Schema 2020-12 of types, saying what the codec does.

What a schema allows the codec takes, and what the codec takes the schema allows, as far as JSON
Schema can say it (``docs/design/validation.md`` lists where it cannot). Named types become
components; everything else is written where it is used.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, get_origin

import msgspec
from msgspec import NODEFAULT

from . import docstrings, foreign, naming, patterns, rules, shape
from .explain import fits
from .reader import shape_of
from .rules import Rule
from .shape import Shape

Schema = dict[str, Any]
_SCALARS: dict[str, Schema] = {
    "null": {"type": "null"},
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string"},
    "decimal": {"type": ["string", "number"], "format": "decimal", "pattern": patterns.NUMBER},
    "bytes": {"type": "string", "contentEncoding": "base64", "pattern": patterns.base64(0, None)},
    "datetime": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "time-local", "pattern": patterns.TIME},
    # Not "duration": RFC 3339 knows neither fractions of a second nor a sign.
    "timedelta": {
        "type": "string",
        "format": "iso8601-duration",
        "pattern": patterns.DURATION,
    },
    "uuid": {"type": "string", "format": "uuid"},
}
_BOUNDS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
}
_LENGTHS = {"str": "Length", "array": "Items", "mapping": "Properties"}


def schema_of(type: Any) -> Schema:
    """The schema of one type by itself, with what it refers to under ``$defs``."""
    schemas = Schemas([type], prefix="#/$defs/")
    root = schemas.of(type)
    components = schemas.components()
    return {**root, "$defs": components} if components else root


class Schemas:
    """The schemas of a set of types, which share components.

    Args:
        types: all of them: names are given when the set is known, so that they do not depend
            on its order.
        prefix: what the components' names are referred to with.

    Raises:
        ConfigError: JSON cannot carry one of the types.
    """

    def __init__(self, types: Iterable[Any], prefix: str = "#/components/schemas/") -> None:
        self._prefix = prefix
        self._shapes = [(type, shape_of(type)) for type in types]
        self._named: dict[Any, Shape] = {}
        models: list[Any] = []
        for _, root in self._shapes:
            for part in shape.reachable(root):
                if isinstance(part, shape.Model):
                    models.append(part.type)
                elif _has_name(part):
                    self._named.setdefault(part.type, part)
        self._names = naming.names(self._named)
        self._models, self._model_components = foreign.schemas_of(
            list(dict.fromkeys(models)), prefix, set(self._names.values())
        )

    def of(self, type: Any) -> Schema:
        """The schema of one of the types: a reference, where it has a name."""
        return self._schema(self._shape(type))

    def text_of(self, type: Any) -> Schema:
        """The schema of a parameter: without null, since text is either there or not."""
        root = self._shape(type)
        arms = tuple(arm for arm in shape.arms_of(root) if not shape.is_null(arm))
        if len(arms) == len(shape.arms_of(root)):
            return self._schema(root)
        inner = arms[0] if len(arms) == 1 else shape.Union(type, arms)
        if isinstance(root, shape.Limited):
            inner = shape.Limited(type, inner, (), root.notes)
        return self._schema(inner)

    def default_of(self, type: Any, value: Any) -> Schema:
        """``{"default": …}``, empty where the value cannot be written or is not of the type."""
        return _default(self._shape(type), value)

    def components(self) -> dict[str, Schema]:
        """The named schemas, by name, sorted."""
        made = {
            self._names[type]: self._definition(type, part) for type, part in self._named.items()
        }
        return dict(sorted({**made, **self._model_components}.items()))

    def ref(self, type: Any) -> str:
        """The reference to a named type."""
        return self._prefix + self._names[type]

    def _shape(self, type: Any) -> Shape:
        return next((found for known, found in self._shapes if known is type), None) or shape_of(
            type
        )

    def _definition(self, type: Any, part: Shape) -> Schema:
        head: Schema = {"title": naming.title_of(type)}
        text, said = docstring_of(type), dict[str, str]()
        if isinstance(part, shape.Record) and not part.positional:
            text, said = docstrings.split(text, {field.name for field in part.fields})
        if text:
            head["description"] = text
        match part:
            case shape.Record() if part.positional:
                return head | self._positional(part)
            case shape.Record():
                return head | self._record(part, said)
            case shape.Choice():
                return head | _choice(part)
        raise AssertionError(part)

    def _schema(self, at: Shape) -> Schema:
        if _has_name(at):
            return {"$ref": self.ref(at.type)}
        match at:
            case shape.Limited():
                return self._limited(at)
            case shape.Scalar():
                return dict(_SCALARS[at.name])
            case shape.Choice():
                return _choice(at)
            case shape.Array():
                return {"type": "array", "items": self._schema(at.item)}
            case shape.Row():
                return _row([self._schema(item) for item in at.items], len(at.items), closed=True)
            case shape.Mapping():
                return self._mapping(at)
            case shape.Union():
                return self._union(at)
            case shape.Model():
                return dict(self._models[at.type])
        return {}

    def _limited(self, at: shape.Limited) -> Schema:
        made = _constrain(self._schema(at.shape), at)
        notes = at.notes
        if notes.title:
            made["title"] = notes.title
        made = described(made, notes.description)
        if notes.examples:
            made["examples"] = [
                msgspec.to_builtins(one, enc_hook=foreign.enc_hook) for one in notes.examples
            ]
        return made | dict(notes.extra)

    def _mapping(self, at: shape.Mapping) -> Schema:
        made: Schema = {"type": "object", "additionalProperties": self._schema(at.value)}
        names = _names_schema(at.key)
        if names:
            made["propertyNames"] = names
        return made

    def _record(self, at: shape.Record, said: Mapping[str, str]) -> Schema:
        properties: Schema = {}
        required: list[str] = []
        if at.tag is not None:
            properties[at.tag[0]] = _choice(shape.Choice(None, (at.tag[1],)))
            required.append(at.tag[0])
        for field in at.fields:
            properties[field.key] = described(self._schema(field.shape), said.get(field.name, ""))
            if field.required:
                required.append(field.key)
            elif field.default is not NODEFAULT:
                properties[field.key] |= _default(field.shape, field.default)
        made: Schema = {"type": "object", "properties": properties}
        if required:
            made["required"] = required
        if at.closed:
            made["additionalProperties"] = False
        return made

    def _positional(self, at: shape.Record) -> Schema:
        items = [self._schema(field.shape) for field in at.fields]
        needed = sum(field.required for field in at.fields)
        if at.tag is not None:
            items.insert(0, _choice(shape.Choice(None, (at.tag[1],))))
            needed += 1
        return _row(items, needed, closed=at.closed)

    def _union(self, at: shape.Union) -> Schema:
        arms = [arm for arm in at.arms if not shape.is_null(arm)]
        nullable = len(arms) < len(at.arms)
        if len(arms) == 1:
            made = self._schema(arms[0])
        elif all(isinstance(arm, shape.Record) and arm.tag for arm in arms):
            made = self._tagged([arm for arm in arms if isinstance(arm, shape.Record)])
        else:
            schemas = [self._schema(arm) for arm in arms]
            if all(schema.keys() == {"type"} for schema in schemas):
                made = {"type": [schema["type"] for schema in schemas]}
            else:
                made = {"anyOf": schemas}
        return _or_null(made) if nullable else made

    def _tagged(self, arms: list[shape.Record]) -> Schema:
        made: Schema = {"oneOf": [self._schema(arm) for arm in arms]}
        if not arms[0].positional:
            tags = [arm.tag for arm in arms if arm.tag]
            made["discriminator"] = {
                "propertyName": tags[0][0],
                "mapping": {
                    str(tag): self.ref(arm.type) for (_, tag), arm in zip(tags, arms, strict=True)
                },
            }
        return made


def described(made: Schema, text: str) -> Schema:
    """``made`` with ``text`` before what it says already."""
    more = made.get("description")
    return made | {"description": f"{text} {more}" if more else text} if text else made


def _default(at: Shape, value: Any) -> Schema:
    try:
        text = msgspec.json.encode(value, enc_hook=foreign.enc_hook)
        return {"default": msgspec.json.decode(text)} if fits(at, text) else {}
    except (TypeError, ValueError):
        return {}


def _has_name(part: Shape) -> bool:
    return isinstance(part, shape.Record) or (
        isinstance(part, shape.Choice)
        and isinstance(part.type, type)
        and issubclass(part.type, Enum)
    )


def docstring_of(type: Any) -> str:
    """A class's own docstring; empty where nobody has written one."""
    cls = get_origin(type) or type
    text = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    # dataclasses and NamedTuples write their signature where there is no docstring.
    generated = text.startswith(f"{cls.__name__}(") or text == "An enumeration."
    return "" if generated else text


def _choice(at: shape.Choice) -> Schema:
    types = list(dict.fromkeys(_JSON_TYPES[type(value)] for value in at.values))
    made: Schema = {"type": types[0] if len(types) == 1 else types}
    names = _member_names(at)
    if len(at.values) == 1 and not names:
        return made | {"const": at.values[0]}
    return made | {"enum": list(at.values)} | ({"x-enum-varnames": names} if names else {})


def _member_names(at: shape.Choice) -> list[str]:
    """The names of an enumeration's members, where they say more than the values."""
    members = at.type if isinstance(at.type, type) and issubclass(at.type, Enum) else ()
    names = [member.name for member in members]
    return names if names != [str(value).upper() for value in at.values] else []


_JSON_TYPES = {str: "string", int: "integer", bool: "boolean", type(None): "null"}


def _row(items: list[Schema], needed: int, *, closed: bool) -> Schema:
    made: Schema = {"type": "array", "minItems": needed}
    if items:
        made["prefixItems"] = items
    if closed:
        made["maxItems"] = len(items)
        made["items"] = False
    return made


def _or_null(made: Schema) -> Schema:
    if isinstance(made.get("type"), (str, list)) and not made.keys() & {"const", "enum", "oneOf"}:
        types = made["type"] if isinstance(made["type"], list) else [made["type"]]
        return made | {"type": [*types, "null"]}
    if "enum" in made and "$ref" not in made:
        types = made["type"] if isinstance(made["type"], list) else [made["type"]]
        return made | {"type": [*types, "null"], "enum": [*made["enum"], None]}
    if "anyOf" in made:
        return made | {"anyOf": [*made["anyOf"], {"type": "null"}]}
    return {"anyOf": [made, {"type": "null"}]}


def _names_schema(key: Shape) -> Schema:
    """What the names of an object's members have to be: always text, whatever it stands for."""
    inner = shape.bare(key)
    match inner:
        case shape.Scalar(name="int"):
            return {"pattern": patterns.INTEGER}
        case shape.Scalar(name="float"):
            return {"pattern": patterns.FLOAT}
        case shape.Choice():
            return {"enum": [str(value) for value in inner.values]}
        case shape.Scalar():
            made = _constrain(dict(_SCALARS[inner.name]), key)
            made.pop("type")
            return made
    return {}


def _constrain(made: Schema, at: Shape) -> Schema:
    """``made`` with the rules of a shape as keywords, and in words where there are none."""
    found = at.rules if isinstance(at, shape.Limited) else ()
    kind = at.kind
    extra: list[Schema] = []
    told: list[str] = []
    lengths = {rule.name: rule.bound for rule in found if rule.name.endswith("length")}
    if kind == "bytes" and lengths:
        made["pattern"] = patterns.base64(lengths.get("min_length", 0), lengths.get("max_length"))
    for rule in found:
        if rule.name in _BOUNDS and kind in ("int", "float", "decimal", "any"):
            made[_BOUNDS[rule.name]] = _number(rule.bound)
            if kind == "decimal":
                extra.extend(_decimal_text(rule))
        elif rule.name == "pattern":
            extra.append({"pattern": rule.bound})
        elif rule.name.endswith("length") and kind in _LENGTHS:
            made[rule.name[:3] + _LENGTHS[kind]] = rule.bound
            inner = shape.bare(at)
            if isinstance(inner, shape.Array) and inner.unique and rule.name == "min_length":
                made["uniqueItems"] = True
        elif rule.name == "timezone":
            made.update(_zoned(kind, rule.bound))
            if not (rule.bound is None or rule.bound is ...):
                told.append(rules.tell(rule, kind))
        elif not (kind == "bytes" and rule.name.endswith("length")):
            told.append(rules.tell(rule, kind))
    if told:
        made["description"] = f"A value {' and '.join(told)}."
    return _with_patterns(made, [schema["pattern"] for schema in extra])


def _with_patterns(made: Schema, found: list[str]) -> Schema:
    if not found:
        return made
    made["pattern"] = found[0]
    if len(found) > 1:
        made["allOf"] = [{"pattern": pattern} for pattern in found[1:]]
    return made


def _decimal_text(rule: Rule) -> list[Schema]:
    bound = rules.bound_for(rule, "decimal")
    if not isinstance(bound, Decimal):
        return []
    match rule.name:
        case "gt" | "ge":
            return [{"pattern": patterns.above(bound, equal=rule.name == "ge")}]
        case "lt" | "le":
            return [{"pattern": patterns.below(bound, equal=rule.name == "le")}]
    digits, exponent = bound.normalize().as_tuple()[1:]
    if digits == (1,) and isinstance(exponent, int) and exponent <= 0:
        return [{"pattern": patterns.places(-exponent)}]
    return []


def _zoned(kind: str, zone: Any) -> Schema:
    if kind == "datetime":
        if zone is None:
            return {"format": "date-time-local", "pattern": patterns.DATETIME}
        return {"format": "date-time"}
    if zone is None:
        return dict(_SCALARS["time"])
    return {"format": "time", "pattern": patterns.TIME[:-1] + "(?:Z|[+-][0-9]{2}:[0-9]{2})$"}


def _number(bound: Any) -> int | float:
    number = float(bound)
    return int(bound) if number == int(number) else number
