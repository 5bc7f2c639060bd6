"""An OpenAPI 3.1 document from a contract.

Complete enough to write a client from: every parameter, body, answer and problem with its schema.
Items of streams have theirs in ``schema`` (what one line or one event's data is), and again under
``x-item-schema``, since OpenAPI has a word for that only from 3.2 on (``itemSchema``).
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections import defaultdict
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, get_type_hints

from skerry.core.errors import (
    BadRequest,
    BodyTooLarge,
    Fault,
    Invalid,
    Problem,
    UnsupportedMediaType,
)

from . import docstrings, naming
from .operation import Answer, Body, Contract, Operation, Parameter
from .schema import Schema, Schemas, described

PROBLEM_JSON = "application/problem+json"
EVENTS = "asyncapi.json"
"""Where the AsyncAPI document of an app is, from its OpenAPI document, which says so."""
_STREAMS = {
    "application/x-ndjson": "One JSON value a line.",
    "text/event-stream": "One event after another, each with a JSON value as its data.",
}
_TEXT = (str, bytes)


def document(contract: Contract) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a contract. The same contract gives the same document.

    Raises:
        ConfigError: a type in it cannot be carried by JSON.
    """
    return _Writer(contract).document()


def fingerprint(document: dict[str, Any]) -> str:
    """The SHA-256 of a document as canonical JSON, in hex.

    Generated clients carry it, and are stale when the app's document has another.
    """
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


class _Writer:
    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._problems = _problems_of(contract)
        self._problem_names = naming.names(self._problems)
        self._schemas = Schemas(_types_of(contract, self._problems))
        taken = set(self._schemas.components()) | {"Problem"}
        for problem, name in self._problem_names.items():
            if name in taken:  # a type of the app's has the same name as its problem
                self._problem_names[problem] = f"{name}Problem"

    def document(self) -> dict[str, Any]:
        contract = self._contract
        info = {"title": contract.name, "version": contract.version}
        if contract.description:
            info["description"] = contract.description
        paths: dict[str, dict[str, Any]] = {}
        for operation in contract.operations:
            item = paths.setdefault(operation.path, {})
            item[operation.method.lower()] = self._operation(operation)
        whole: dict[str, Any] = {"openapi": "3.1.0", "info": info}
        tags = dict.fromkeys(tag for operation in contract.operations for tag in operation.tags)
        if tags:
            whole["tags"] = [{"name": tag} for tag in tags]
        if contract.has_events:
            whole["x-asyncapi"] = EVENTS
        whole["paths"] = paths
        whole["components"] = self._components()
        return whole

    def _components(self) -> dict[str, Any]:
        schemas = self._schemas.components()
        schemas["Problem"] = _ANY_PROBLEM
        for problem, name in self._problem_names.items():
            schemas[name] = self._problem(problem, name)
        other = {
            "description": "Anything else that can go wrong.",
            "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        return {"schemas": dict(sorted(schemas.items())), "responses": {"Problem": other}}

    def _operation(self, operation: Operation) -> dict[str, Any]:
        made: dict[str, Any] = {"operationId": operation.name}
        for key in ("summary", "description"):
            if getattr(operation, key):
                made[key] = getattr(operation, key)
        if operation.tags:
            made["tags"] = list(operation.tags)
        if operation.parameters:
            made["parameters"] = [self._parameter(one) for one in operation.parameters]
        if operation.body is not None:
            made["requestBody"] = self._body(operation.body, operation.strict)
        made["responses"] = self._responses(operation)
        if operation.deprecated:
            made["deprecated"] = True
        return made

    def _parameter(self, parameter: Parameter) -> dict[str, Any]:
        schema = self._schemas.text_of(parameter.type)
        made: dict[str, Any] = {"name": parameter.name, "in": parameter.where}
        description = parameter.description or schema.pop("description", "")
        if description:
            made["description"] = description
        made["required"] = parameter.required or parameter.where == "path"
        if schema.get("type") == "array":
            many = parameter.where in ("query", "cookie")
            made |= {"style": "form" if many else "simple", "explode": many}
        if not parameter.required and parameter.default is not None:
            schema |= self._schemas.default_of(parameter.type, parameter.default)
        made["schema"] = schema
        return made

    def _body(self, body: Body, strict: bool) -> dict[str, Any]:
        made: dict[str, Any] = {"description": body.description} if body.description else {}
        content = self._content(body.type, body.media_type, body.stream)
        if strict and not body.stream and "$ref" in content["schema"]:
            content["schema"] = {**content["schema"], "unevaluatedProperties": False}
        return {**made, "required": body.required, "content": {body.media_type: content}}

    def _content(self, type: Any, media_type: str, stream: bool) -> dict[str, Any]:
        if stream and type is not bytes:
            schema = self._schemas.of(type)
            note = _STREAMS.get(media_type, "")
            return {"schema": schema, "x-item-schema": schema} | (
                {"x-item-description": note} if note else {}
            )
        if type is bytes:
            return {"schema": {}}  # 3.1: octets as they are have no schema
        if type is str and not media_type.endswith("json"):
            return {"schema": {"type": "string"}}
        return {"schema": self._schemas.of(type)}

    def _responses(self, operation: Operation) -> dict[str, Any]:
        made = {str(operation.answer.status): self._answer(operation.answer)}
        by_status: dict[int, list[type[Problem]]] = defaultdict(list)
        for problem in _possible(operation, self._contract):
            by_status[problem.status].append(problem)
        for status in sorted(by_status):
            made[str(status)] = self._refusal(by_status[status])
        made["default"] = {"$ref": "#/components/responses/Problem"}
        return made

    def _answer(self, answer: Answer) -> dict[str, Any]:
        made: dict[str, Any] = {"description": answer.description or _phrase(answer.status)}
        if answer.media_type is not None and answer.type is not None:
            content = self._content(answer.type, answer.media_type, answer.stream)
            made["content"] = {answer.media_type: content}
        return made

    def _refusal(self, problems: list[type[Problem]]) -> dict[str, Any]:
        refs = [f"#/components/schemas/{self._problem_names[problem]}" for problem in problems]
        schema: Schema = {"$ref": refs[0]}
        if len(problems) > 1:
            types = [problem.type for problem in problems]
            apart = len(set(types)) == len(types)
            schema = {"oneOf" if apart else "anyOf": [{"$ref": ref} for ref in refs]}
            if apart:
                mapping = dict(zip(types, refs, strict=True))
                schema["discriminator"] = {"propertyName": "type", "mapping": mapping}
        return {
            "description": " Or: ".join(_summary(problem) for problem in problems),
            "content": {PROBLEM_JSON: {"schema": schema}},
        }

    def _problem(self, problem: type[Problem], name: str) -> Schema:
        properties: Schema = {
            "type": {"type": "string", "const": problem.type},
            "title": {"type": "string"},
            "status": {"type": "integer", "const": problem.status},
            "detail": {"type": "string"},
        }
        hints = get_type_hints(problem, include_extras=True)
        text = inspect.cleandoc(problem.__dict__.get("__doc__") or "")
        text, said = docstrings.split(text, problem.members)
        for member in problem.members:
            properties[member] = described(self._schemas.of(hints[member]), said.get(member, ""))
        made: Schema = {"title": name, "type": "object", "properties": properties}
        if text:
            made = {"title": name, "description": text} | made
        return made | {"required": ["type", "title", "status", *problem.members]}


_ANY_PROBLEM: Schema = {
    "title": "Problem",
    "description": "Problem details (RFC 9457).",
    "type": "object",
    "properties": {
        "type": {"type": "string", "default": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}


def _possible(operation: Operation, contract: Contract) -> list[type[Problem]]:
    """What an operation may answer instead: its own problems, and those that come with it."""
    standard: list[type[Problem]] = []
    if operation.body is not None:
        standard += [BadRequest, BodyTooLarge, UnsupportedMediaType]
    elif any(parameter.where != "path" for parameter in operation.parameters):
        standard.append(BadRequest)
    if _can_be_invalid(operation):
        standard.append(Invalid)
    return list(dict.fromkeys([*operation.problems, *contract.base_problems, *standard]))


def _can_be_invalid(operation: Operation) -> bool:
    body = operation.body
    if body is not None and body.type not in _TEXT:
        return True
    return any(
        parameter.type is not str or (parameter.required and parameter.where != "path")
        for parameter in operation.parameters
    )


def _problems_of(contract: Contract) -> list[type[Problem]]:
    found = [p for operation in contract.operations for p in _possible(operation, contract)]
    return list(dict.fromkeys([*found, *contract.base_problems]))


def _types_of(contract: Contract, problems: Iterable[type[Problem]]) -> list[Any]:
    found: list[Any] = [Fault]
    for operation in contract.operations:
        found.extend(parameter.type for parameter in operation.parameters)
        carried = [part.type for part in (operation.body, operation.answer) if part is not None]
        found.extend(type for type in carried if type not in (None, bytes))
    for problem in problems:
        hints = get_type_hints(problem, include_extras=True)
        found.extend(hints[member] for member in problem.members)
    return found


def _summary(problem: type[Problem]) -> str:
    # Not the title: that of a problem without a type is its status in the words of the Python
    # that runs, and the document has to be the same on all of them.
    text = inspect.cleandoc(problem.__dict__.get("__doc__") or "")
    return text.partition("\n")[0] or problem.title


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"
