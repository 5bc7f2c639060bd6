"""Pydantic models, which validate and write themselves.

Pydantic is never imported here: a program that has a model has imported it already.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, get_args, get_origin

from msgspec import json

from skerry.core.errors import ConfigError

from .aliases import UNIONS, plain
from .finite import unfinite

# What Pydantic takes for a number that is none. JSON's own numbers are finite, so only a value
# with such a text in it is searched.
_UNFINITE = re.compile(rb'"\s*[-+]?(?:nan|inf)', re.IGNORECASE)


def is_model(cls: Any) -> bool:
    """Whether a class is a Pydantic v2 model (or dataclass)."""
    return isinstance(cls, type) and hasattr(cls, "__pydantic_validator__")


def fault_of(model: Any) -> str:
    """Why a model cannot be used yet; empty if it can."""
    if model.__pydantic_complete__ or model.model_rebuild(raise_errors=False):
        return ""
    return "names something in its annotations that is not there"


class _Union(type):
    """The class of classes that stand for unions with Pydantic models in them.

    msgspec takes no union of two classes it does not know. Pydantic does, and knows how they are
    told apart (``discriminator``); so such a union is one model, whose values are anything.

    Attributes:
        __pydantic_adapter__: the union as Pydantic has it.
    """

    def __instancecheck__(cls, value: object) -> bool:
        return True


def is_theirs(union: Any) -> bool:
    """Whether a union has a model among its members, and more than that beside None."""
    members = [member for member in _members(union) if member is not type(None)]
    return len(members) > 1 and any(is_model(member) for member in members)


def _members(hint: Any) -> list[Any]:
    inner = plain(hint)
    if get_origin(inner) not in UNIONS:
        return [get_origin(inner) or inner]
    return [member for argument in get_args(inner) for member in _members(argument)]


@lru_cache(maxsize=1024)
def as_model(union: Any) -> Any:
    """The model that stands for a union, ``Annotated`` around it included.

    Raises:
        ConfigError: Pydantic cannot validate one of the members.
    """
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        adapter: Any = TypeAdapter(union)
    except (PydanticUserError, TypeError) as error:
        raise ConfigError(f"{union}: {str(error).splitlines()[0]}") from error
    spelled = "Or".join(getattr(member, "__name__", str(member)) for member in _members(union))
    members = {
        "__pydantic_validator__": adapter.validator,
        "__pydantic_complete__": True,
        "__pydantic_adapter__": adapter,
    }
    return _Union(spelled, (), members)


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


def unknown_of(model: Any, text: bytes) -> list[str]:
    """The keys that a model would ignore. What its own fields hold is Pydantic's business."""
    keys = list(json.decode(text))
    if isinstance(model, _Union):
        model = type(dec_hook(model, json.decode(text)))
    if not hasattr(model, "model_config") or model.model_config.get("extra") == "allow":
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
) -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
    """Pydantic's own schemas of models: (schema by model, components by name).

    Args:
        taken: names that other components have; a model of such a name gets ``Model`` behind it.

    Raises:
        ConfigError: there is no schema of one.
    """
    if not models:
        return {}, {}
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    adapters = {
        model: getattr(model, "__pydantic_adapter__", None) or TypeAdapter(model)
        for model in models
    }
    try:
        found, whole = TypeAdapter.json_schemas(
            [(model, "validation", adapter) for model, adapter in adapters.items()],
            ref_template=prefix + "{model}",
        )
    except PydanticUserError as error:
        names = ", ".join(model.__name__ for model in models)
        raise ConfigError(f"one of {names}: {str(error).splitlines()[0]}") from error
    renamed = {
        prefix + name: prefix + name + "Model" if name in taken else prefix + name
        for name in whole.get("$defs", {})
    }
    schemas = {model: _relocated(found[model, "validation"], renamed) for model in models}
    components = {
        renamed[prefix + name].removeprefix(prefix): _relocated(schema, renamed)
        for name, schema in whole.get("$defs", {}).items()
    }
    return schemas, components


def _relocated(schema: Any, renamed: dict[str, str]) -> Any:
    if isinstance(schema, dict):
        return {key: _relocated(value, renamed) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_relocated(value, renamed) for value in schema]
    return renamed.get(schema, schema) if isinstance(schema, str) else schema
