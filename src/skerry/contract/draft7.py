"""Schemas in the words of JSON Schema draft 7, which AsyncAPI's are made of.

OpenAPI 3.1 speaks draft 2020-12. What we write differs in two places. A row of items is ``items``
in draft 7, where ``"items": false`` would leave no item at all. And ``discriminator`` is a bare
name to AsyncAPI, with each value the name of a schema, which ours need not be: it is said as
``x-discriminator``, and who does not know that still has the constants that tell the members apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .schema import Schema

_OF_ONE = {
    *("additionalItems", "additionalProperties", "contains", "else", "if", "items", "not"),
    *("propertyNames", "then"),
}
_OF_MANY = {"allOf", "anyOf", "items", "oneOf", "prefixItems"}
_BY_NAME = {"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"}


def draft7(schema: Schema) -> Schema:
    """The same schema for AsyncAPI; one that says nothing special is equal to what it was."""
    made = {key: _inner(key, value) for key, value in schema.items()}
    if "prefixItems" in made:
        row, rest = made.pop("prefixItems"), made.pop("items", None)
        made["items"] = row
        if rest is not None:
            made["additionalItems"] = rest
    if isinstance(made.get("discriminator"), Mapping):
        made["x-discriminator"] = made.pop("discriminator")
    return made


def _inner(key: str, value: Any) -> Any:
    """A keyword's value: where it is made of schemas, those; data is left as it is."""
    if key in _OF_ONE and isinstance(value, Mapping):
        return draft7(dict(value))
    if key in _OF_MANY and isinstance(value, list):
        return [draft7(dict(each)) if isinstance(each, Mapping) else each for each in value]
    if key in _BY_NAME and isinstance(value, Mapping):
        return {
            name: draft7(dict(each)) if isinstance(each, Mapping) else each
            for name, each in value.items()
        }
    return value
