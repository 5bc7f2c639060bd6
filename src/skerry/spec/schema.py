"""A JSON Schema of ``fleet.toml``, for editors that complete and check TOML by one."""

from __future__ import annotations

from typing import Any

from .keys import TABLES


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12; what it accepts may still have faults that only ``load`` sees."""
    tables = {name: _table(name) for name in TABLES}
    for name in ("apps", "backings"):
        tables[name] = {"type": "object", "additionalProperties": tables[name]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "fleet.toml",
        "type": "object",
        "properties": tables,
        "required": ["apps"],
        "additionalProperties": False,
    }


def _table(name: str) -> dict[str, Any]:
    properties = {key.name: {**key.schema, "description": key.help} for key in TABLES[name]}
    return {"type": "object", "properties": properties, "additionalProperties": False}
