"""An example of what a schema describes, for people to start from."""

from __future__ import annotations

from typing import Any

_DEPTH = 6
_FORMATS = {
    "date-time": "2026-01-31T12:00:00Z",
    "date-time-local": "2026-01-31T12:00:00",
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "time-local": "12:00:00",
    "iso8601-duration": "P1DT2H",
    "uuid": "5e2f1f0e-7c0b-4b3e-9d53-0c1f4a0f6b11",
}


def sample(schema: Any, components: dict[str, Any], depth: int = 0) -> Any:
    """A value that a schema made by ``schema`` describes, the author's own example first.

    Args:
        components: the document's ``components/schemas``.
    """
    if not isinstance(schema, dict) or depth > _DEPTH:
        return None
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("example", "const", "default"):
        if schema.get(key) not in (None, [], {}):
            return schema[key]
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return sample(components.get(name), components, depth + 1)
    for key in ("oneOf", "anyOf", "allOf"):
        if schema.get(key) and "type" not in schema:
            return sample(schema[key][0], components, depth + 1)
    kind = schema.get("type")
    return _of_kind(kind[0] if isinstance(kind, list) else kind, schema, components, depth)


def _of_kind(kind: Any, schema: dict[str, Any], components: dict[str, Any], depth: int) -> Any:
    match kind:
        case "object":
            required = schema.get("required", ())
            return {
                name: sample(part, components, depth + 1)
                for name, part in schema.get("properties", {}).items()
                if name in required or depth == 0
            }
        case "array":
            items = schema.get("prefixItems") or [schema.get("items")]
            made = [sample(item, components, depth + 1) for item in items]
            return [item for item in made if item is not None]
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case "string" if schema.get("format") == "decimal":
            return str(_number(schema))
        case "string":
            text = _FORMATS.get(schema.get("format", ""), "" if "pattern" in schema else "text")
            return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", 99)]
    return None


def _number(schema: dict[str, Any]) -> Any:
    if "minimum" in schema:
        return schema["minimum"]
    if "exclusiveMinimum" in schema:
        return schema["exclusiveMinimum"] + 1
    most = schema.get("maximum", schema.get("exclusiveMaximum", 2))
    return min(1, most - 1)
