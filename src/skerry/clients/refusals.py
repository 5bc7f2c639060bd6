"""Error answers: which exceptions a contract declares.

An object is an exception with its properties as members; the same schema is one exception
wherever it stands. What is not described further is an error of its status, and no more.
"""

from __future__ import annotations

import json
from typing import Any

from .document import Node
from .flat import flatten
from .schemas import Schemas
from .shapes import Field, Refusal

GENERAL = ""
"""The key of an error whose body is not described."""

_STANDARD = frozenset({"type", "title", "status", "detail", "instance"})


class Refusals:
    """Reads error responses; ``found`` holds each kind once, by key."""

    def __init__(self, schemas: Schemas) -> None:
        self.found: dict[str, Refusal] = {}
        self._schemas = schemas

    def read(self, response: Node, status: int | str, operation: str) -> list[str]:
        """The keys of what this response can be."""
        contents = {media: content.object() for media, content in response.children("content")}
        media = _choose(list(contents))
        schema = contents[media].step("schema") if media else None
        if schema is None or not isinstance(schema.value, dict):
            return [GENERAL]
        hint = f"{operation} error"
        if "/components/responses/" in response.id:
            hint = response.key
        keys: list[str] = []
        for choice in _choices(schema):
            keys += [key for key in [self._one(choice, status, hint)] if key not in keys]
        return keys

    def _one(self, schema: Node, status: int | str, hint: str) -> str:
        flat = flatten(schema)
        if not flat.properties:
            return GENERAL
        target = schema.follow()
        fixed = {name: _constant(node) for name, node in flat.properties.items()}
        is_problem = "type" in fixed and "title" in fixed
        uri = fixed.get("type")
        uri = uri if is_problem and isinstance(uri, str) else ""
        if is_problem and not uri and not set(flat.properties) - _STANDARD:
            return GENERAL
        component = "/components/schemas/" in target.id
        key = target.id if component else "inline " + json.dumps(schema.value, sort_keys=True)
        if key in self.found:
            return key
        name = target.key if component else str(target.value.get("title") or hint)
        refusal = Refusal(name, [], flat.description, uri)
        self.found[key] = refusal
        title, code = fixed.get("title"), fixed.get("status")
        refusal.title = title if is_problem and isinstance(title, str) else ""
        refusal.status = code if is_problem and isinstance(code, int) else None
        refusal.fields = self._fields(schema, name, standard=is_problem)
        return key

    def _fields(self, schema: Node, name: str, *, standard: bool) -> list[Field]:
        """The members; those that every problem has are no members of their own."""
        fields = self._schemas.fields(flatten(schema), name)
        return [f for f in fields if not (standard and f.name in _STANDARD)]


def _choose(medias: list[str]) -> str:
    for wanted in ("problem+json", "json"):
        for media in medias:
            if media.partition(";")[0].strip().lower().endswith(wanted):
                return media
    return "*/*" if "*/*" in medias else ""


def _choices(schema: Node) -> list[Node]:
    """The alternatives of a union; otherwise the schema itself."""
    target = schema.follow()
    if isinstance(target.value, dict) and "properties" not in target.value:
        for word in ("oneOf", "anyOf"):
            members = target.items(word)
            if members:
                return [one for member in members for one in _choices(member)]
    return [schema]


def _constant(node: Node) -> Any:
    """The one value a schema allows, if it allows one."""
    value = node.follow().value
    if not isinstance(value, dict):
        return None
    if "const" in value:
        return value["const"]
    allowed = value.get("enum")
    return allowed[0] if isinstance(allowed, list) and len(allowed) == 1 else None
