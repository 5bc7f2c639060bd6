"""What an endpoint promises, read from its function: the operation of the contract."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Annotated, Any, get_args, get_origin

from msgspec import Meta

from skerry.contract.docstrings import Doc, describe
from skerry.contract.operation import Answer, Body, Operation, Parameter
from skerry.core.errors import (
    ConfigError,
    IdempotencyKeyInFlight,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    Problem,
)
from skerry.core.wire import Response
from skerry.filters.idempotency import HEADER, PATTERN

from . import markers
from .binding import Argument, hints_of, is_stream, item_of, place
from .body import NDJSON
from .declare import Declaration
from .events import EVENTS, is_event
from .responses import Reply


def operation_of(declared: Declaration, arguments: list[Argument]) -> Operation:
    """The operation that ``declared`` stands for.

    Raises:
        ConfigError: what it returns is not what its status promises.
    """
    doc = describe(inspect.getdoc(declared.function))
    body = body_argument(arguments)
    operation = Operation(
        name=declared.name,
        method=declared.method,
        path=declared.path.replace(":path}", "}"),
        summary=declared.summary or doc.summary,
        description=doc.description,
        parameters=tuple(
            Parameter(
                name=a.wire_name,
                where=a.source,
                type=a.type,
                required=a.required,
                default=a.default,
                description=a.marker.description or doc.parameters.get(a.name, ""),
            )
            for a in arguments
            if a.source in ("path", "query", "header", "cookie")
        ),
        body=None if body is None else _body(body, doc),
        answer=replace(_answer(declared), description=doc.returns),
        problems=declared.problems,
        tags=declared.tags,
        deprecated=declared.deprecated,
        strict=body is not None and body_marker(body).strict,
    )
    return operation if declared.idempotent is None else _idempotent(operation, declared)


def _idempotent(operation: Operation, declared: Declaration) -> Operation:
    """With the header that its stack reads, and what that answers by itself."""
    required = declared.idempotent == "required"
    key = Parameter(
        name=HEADER,
        where="header",
        type=Annotated[str, Meta(pattern=PATTERN)],
        required=required,
        description="Chosen by the caller for one request, and sent again with each attempt at it: "
        "it is done once, and has one answer.",
    )
    others = tuple(p for p in operation.parameters if (p.where, p.name) != ("header", HEADER))
    problems: tuple[type[Problem], ...] = (IdempotencyKeyInFlight, IdempotencyKeyReused)
    if required:
        problems = (IdempotencyKeyMissing, *problems)
    added = tuple(problem for problem in problems if problem not in operation.problems)
    return replace(operation, parameters=(*others, key), problems=(*operation.problems, *added))


def returned(declared: Declaration) -> Any:
    """What the function is annotated to return; None for nothing."""
    hint = hints_of(declared.function, declared.local).get("return", Any)
    if get_origin(hint) is Reply:
        (hint,) = get_args(hint)
    return None if hint is type(None) else hint


def body_argument(arguments: list[Argument]) -> Argument | None:
    return next((a for a in arguments if a.source == "body"), None)


def body_marker(argument: Argument) -> markers.Body:
    return argument.marker if isinstance(argument.marker, markers.Body) else markers.Body()


def _body(argument: Argument, doc: Doc) -> Body:
    marker = body_marker(argument)
    item = item_of(argument.type) if argument.stream else argument.type
    if item is bytes:
        media_type = marker.media_type or "application/octet-stream"
    else:
        media_type = marker.media_type or (NDJSON if argument.stream else "application/json")
    return Body(
        type=item,
        media_type=media_type,
        required=argument.required,
        stream=argument.stream,
        description=marker.description or doc.parameters.get(argument.name, ""),
    )


def _answer(declared: Declaration) -> Answer:
    returns = returned(declared)
    streams = is_stream(returns) or inspect.isasyncgenfunction(declared.function)
    if declared.status in (204, 205, 304) and (streams or returns not in (None, Response, Any)):
        raise ConfigError(
            f"{place(declared.function)}: an answer with status {declared.status} has no "
            "body; let the function return None"
        )
    status, media_type = declared.status or 200, declared.media_type
    if streams:
        item = item_of(returns)
        if is_event(item):  # what travels is its data, which a client gets as an item
            data = get_args(item)
            return Answer(status, data[0] if data else Any, media_type or EVENTS, stream=True)
        default = "application/octet-stream" if item is bytes else NDJSON
        return Answer(status, item, media_type or default, stream=True)
    if returns is None:
        return Answer(declared.status or 204)
    if returns is Response:
        return Answer(status, None, media_type or None)
    if returns is bytes:
        return Answer(status, bytes, media_type or "application/octet-stream")
    return Answer(status, returns, media_type or "application/json")
