"""Pydantic models, which validate and write themselves.

Pydantic is never imported here: a program that has a model has imported it already.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import json

from .finite import unfinite

# What Pydantic takes for a number that is none. JSON's own numbers are finite, so only a value
# with such a text in it is searched.
_UNFINITE = re.compile(rb'"\s*[-+]?(?:nan|inf)', re.IGNORECASE)


def is_model(cls: Any) -> bool:
    """Whether a class is a Pydantic v2 model (or dataclass)."""
    return isinstance(cls, type) and hasattr(cls, "__pydantic_validator__")


def dec_hook(type: Any, value: Any) -> Any:
    """A model from JSON's own types, by the rules that hold for JSON.

    Raises:
        ValueError: what Pydantic says; or a number that is not finite, which it allows.
    """
    if not is_model(type):
        raise NotImplementedError(f"{type} is not a type that JSON can carry")
    text = json.encode(value)
    model = type.__pydantic_validator__.validate_json(text)
    if _UNFINITE.search(text):
        where = unfinite(model)
        if where is not None:
            raise ValueError(f"expected a finite number at {where}")
    return model


def enc_hook(value: Any) -> Any:
    """A model, or a subclass of a builtin, as something msgspec can write."""
    if is_model(type(value)):
        return value.model_dump(mode="json", by_alias=True)
    for base in (str, int, float):
        if isinstance(value, base):
            return base(value)
    raise TypeError(f"a {type(value).__qualname__} cannot be written as JSON")


def faults_of(model: Any, text: bytes) -> list[tuple[list[str | int], str]]:
    """What Pydantic finds wrong: (path in the JSON, detail) for each."""
    try:
        dec_hook(model, json.decode(text))
    except Exception as error:
        if not isinstance(error, ValueError) or not hasattr(error, "errors"):
            return [([], str(error))]
        found = error.errors(include_url=False, include_context=False)
        raw = json.decode(text)
        return [(_path(raw, one["loc"], one["type"]), _lower(one["msg"])) for one in found]
    return []


def unknown_of(model: Any, keys: list[str]) -> list[str]:
    """The keys that a model would ignore. What its own fields hold is Pydantic's business."""
    if model.model_config.get("extra") == "allow":
        return []
    known: set[str] = set()
    for name, info in model.model_fields.items():
        alias = info.validation_alias
        known.add(name)
        known.update(one for one in (info.alias, alias) if isinstance(one, str))
        for choice in getattr(alias, "choices", [alias]):
            path = getattr(choice, "path", [choice])
            known.update(step for step in path[:1] if isinstance(step, str))
    return [key for key in keys if key not in known]


def _path(raw: Any, location: tuple[str | int, ...], kind: str) -> list[str | int]:
    """Pydantic's location without the steps that are not in the JSON (arms of unions)."""
    path: list[str | int] = []
    for place, step in enumerate(location):
        try:
            raw = raw[step]
        except (LookupError, TypeError):
            if kind != "missing" or place < len(location) - 1:
                continue
        path.append(step)
    return path


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def schemas_of(
    models: list[Any], prefix: str, taken: set[str]
) -> tuple[dict[Any, str], dict[str, Any]]:
    """Pydantic's own schemas of models: (reference by model, components by name).

    Args:
        taken: names that other components have; a model of such a name gets ``Model`` behind it.
    """
    if not models:
        return {}, {}
    from pydantic.json_schema import models_json_schema

    found, whole = models_json_schema(
        [(model, "validation") for model in models], ref_template=prefix + "{model}"
    )
    renamed = {
        prefix + name: prefix + name + "Model" if name in taken else prefix + name
        for name in whole.get("$defs", {})
    }
    refs = {model: renamed[found[model, "validation"]["$ref"]] for model in models}
    components = {
        renamed[prefix + name].removeprefix(prefix): _relocated(schema, renamed)
        for name, schema in whole.get("$defs", {}).items()
    }
    return refs, components


def _relocated(schema: Any, renamed: dict[str, str]) -> Any:
    if isinstance(schema, dict):
        return {key: _relocated(value, renamed) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_relocated(value, renamed) for value in schema]
    return renamed.get(schema, schema) if isinstance(schema, str) else schema
