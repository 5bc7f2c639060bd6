"""Values that a JSON Schema allows: just the words that Skerry's own schemas use."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from .kinds import JSON_TYPES

Strategy = st.SearchStrategy[Any]
_TEXT = st.text(alphabet=string.ascii_letters + "é~/ ", max_size=6)
_FORMATS: dict[str, Strategy] = {
    "date": st.dates().map(str),
    "date-time": st.datetimes(timezones=st.just(None)).map(lambda d: d.isoformat() + "Z"),
    "date-time-local": st.datetimes().map(lambda d: d.isoformat()),
    "uuid": st.uuids().map(str),
}


def from_schema(whole: dict[str, Any]) -> Strategy:
    """Values of a schema whose references are to its own ``$defs``."""
    definitions: dict[str, Strategy] = {}
    for name, part in whole.get("$defs", {}).items():
        definitions[f"#/$defs/{name}"] = st.deferred(lambda part=part: build(part, definitions))
    valid = Draft202012Validator(whole).is_valid
    return build(whole, definitions).filter(valid)


def build(schema: Any, definitions: dict[str, Strategy]) -> Strategy:
    if "$ref" in schema:
        return definitions[schema["$ref"]]
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return st.one_of([build(arm, definitions) for arm in schema[key]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema.get("type", JSON_TYPES)
    kinds = kinds if isinstance(kinds, list) else [kinds]
    return st.one_of([_of_kind(kind, schema, definitions) for kind in kinds])


def _of_kind(kind: str, schema: Any, definitions: dict[str, Strategy]) -> Strategy:
    valid = Draft202012Validator(
        {key: value for key, value in schema.items() if not isinstance(value, (dict, list))}
        | {"allOf": schema.get("allOf", [])}
    ).is_valid
    match kind:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "string":
            return _text(schema).filter(valid)
        case "array":
            return _array(schema, definitions).filter(valid)
        case "object":
            return _object(schema, definitions).filter(valid)
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    whole = st.integers(None if low is None else int(low), None if high is None else int(high))
    if kind == "integer":
        return whole.filter(valid)
    broken = st.floats(low, high, allow_nan=False, allow_infinity=False)
    return (whole | broken).filter(valid)


def _text(schema: Any) -> Strategy:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].replace("$", r"\Z"))
    return st.text(min_size=schema.get("minLength", 0), max_size=schema.get("maxLength", 6))


def _array(schema: Any, definitions: dict[str, Strategy]) -> Strategy:
    fixed = [build(item, definitions) for item in schema.get("prefixItems", [])]
    if fixed:
        least = schema.get("minItems", 0)
        return st.one_of(
            [st.tuples(*fixed[:count]).map(list) for count in range(least, len(fixed) + 1)]
        )
    items = build(schema.get("items", {}), definitions)
    return st.lists(items, min_size=schema.get("minItems", 0), max_size=schema.get("maxItems", 3))


def _object(schema: Any, definitions: dict[str, Strategy]) -> Strategy:
    if "properties" in schema:
        required = schema.get("required", [])
        made = {key: build(part, definitions) for key, part in schema["properties"].items()}
        return st.fixed_dictionaries(
            {key: made[key] for key in required},
            optional={key: part for key, part in made.items() if key not in required},
        )
    names = schema.get("propertyNames", {})
    values = build(schema.get("additionalProperties", {}), definitions)
    keys = build({"type": "string", **names}, definitions) if names else _TEXT
    return st.dictionaries(keys, values, min_size=schema.get("minProperties", 0), max_size=3)
