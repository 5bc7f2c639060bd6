"""An endpoint: a declared function, turned into a service from request to response."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from functools import partial
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

from skerry.contract.codec import Codec, TextCodec
from skerry.contract.operation import Answer, Body, Operation, Parameter
from skerry.core.answer import answer
from skerry.core.errors import (
    BadRequest,
    CallError,
    ConfigError,
    Fault,
    Internal,
    Invalid,
    Problem,
    unhandled,
)
from skerry.core.service import Service
from skerry.core.wire import JSON, Headers, Request, Response, Stream

from . import markers
from .binding import Argument, bind, hints_of, is_stream, item_of, place, split_template_names
from .body import (
    EVENTS,
    NDJSON,
    RequestBody,
    check_media_type,
    chunks_of,
    encode_event,
    encode_ndjson,
    read_body,
    read_items,
    wants_events,
)
from .declare import Declaration
from .resources import Container
from .responses import ServerSentEvent

log = logging.getLogger("skerry.app")

Function = Callable[..., Any]
Reader = Callable[[Request], Any]
Fetch = Callable[[Request], Awaitable[bytes]]
Decode = Callable[[Request, bytes], Any]


class Endpoint:
    """A declaration whose types have been worked out.

    Args:
        injectable: whether a type is registered with the app.

    Raises:
        ConfigError: see ``binding.bind``.
    """

    def __init__(self, declaration: Declaration, injectable: Callable[[Any], bool]) -> None:
        self.declaration = declaration
        function = declaration.function
        self.arguments = bind(
            function,
            method=declaration.method,
            path_names=split_template_names(declaration.path),
            injectable=injectable,
            local=declaration.local,
        )
        returned = hints_of(function, declaration.local).get("return", Any)
        self.returns: Any = None if returned is type(None) else returned
        self.streams = is_stream(returned) or inspect.isasyncgenfunction(function)
        self.body = next((a for a in self.arguments if a.source == "body"), None)
        self.operation = self._operation()
        self.passed_on = frozenset(declaration.problems)

    def _operation(self) -> Operation:
        declared = self.declaration
        doc = inspect.getdoc(declared.function) or ""
        summary, _, description = doc.partition("\n")
        return Operation(
            name=declared.name,
            method=declared.method,
            path=declared.path.replace(":path}", "}"),
            summary=declared.summary or summary.strip(),
            description=description.strip(),
            parameters=tuple(
                Parameter(
                    name=a.wire_name,
                    where=a.source,
                    type=a.type,
                    required=a.required,
                    default=a.default,
                    description=a.marker.description,
                )
                for a in self.arguments
                if a.source in ("path", "query", "header", "cookie")
            ),
            body=self._body(),
            answer=self._answer(),
            problems=declared.problems,
            tags=declared.tags,
            deprecated=declared.deprecated,
            strict=self.body is not None and _body_marker(self.body).strict,
        )

    def _body(self) -> Body | None:
        argument = self.body
        if argument is None:
            return None
        marker = _body_marker(argument)
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
            description=marker.description,
        )

    def _answer(self) -> Answer:
        declared = self.declaration
        bodyless = declared.status in (204, 205, 304)
        if bodyless and (self.streams or self.returns not in (None, Response, Any)):
            raise ConfigError(
                f"{place(declared.function)}: an answer with status {declared.status} has no "
                "body; let the function return None"
            )
        if self.streams:
            item = item_of(self.returns)
            media = EVENTS if item is ServerSentEvent else NDJSON
            if item is bytes:
                media = "application/octet-stream"
            return Answer(declared.status or 200, item, declared.media_type or media, stream=True)
        if self.returns is None:
            return Answer(declared.status or 204, None, None)
        if self.returns is Response:
            return Answer(declared.status or 200, None, declared.media_type or None)
        if self.returns is bytes:
            media_type = declared.media_type or "application/octet-stream"
            return Answer(declared.status or 200, bytes, media_type)
        return Answer(
            declared.status or 200, self.returns, declared.media_type or "application/json"
        )

    def build(self, container: Container, pool: Executor, limit: int) -> Service[Request, Response]:
        """The function as a service: arguments in, the function, its answer out.

        Args:
            pool: where plain ``def`` functions run.
            limit: the largest body in bytes, where the endpoint names none.
        """
        fill = self._filler()
        fetch, decode = self._body_reader(limit)
        encode = self._encode()
        run = self._runner(pool)
        constants = {
            a.name: container.instance_value(a.type)
            for a in self.arguments
            if a.source == "injected" and not container.is_request_scoped(a.type)
        }
        scoped = [
            a
            for a in self.arguments
            if a.source == "injected" and container.is_request_scoped(a.type)
        ]
        body_name = self.body.name if self.body else ""

        async def gather(request: Request) -> dict[str, Any]:
            arguments = constants.copy()
            faults = fill(request, arguments)
            if body_name:
                content = b"" if fetch is None else await fetch(request)
                try:
                    arguments[body_name] = decode(request, content)
                except Invalid as error:
                    faults += error.errors
            if faults:
                raise Invalid(errors=faults, detail=_count(faults))
            return arguments

        async def call(request: Request) -> Response:
            try:
                return encode(request, await run(await gather(request)))
            except (Problem, CallError) as error:
                return self._refuse(error)
            except Exception:
                return self._fail(request)

        async def call_scoped(request: Request) -> Response:
            stack = AsyncExitStack()
            try:
                async with stack:
                    arguments = await gather(request)
                    opened: dict[Any, Any] = {}
                    for a in scoped:
                        arguments[a.name] = await container.request_value(a.type, stack, opened)
                    response = encode(request, await run(arguments))
                    if isinstance(response.body, Stream):
                        response.body.wrap(partial(_until_closed, stack.pop_all()))
                    return response
            except (Problem, CallError) as error:
                return self._refuse(error)
            except Exception:
                return self._fail(request)

        if scoped:
            return call_scoped
        return self._straight(constants, limit) or call

    def _straight(self, constants: dict[str, Any], limit: int) -> Service[Request, Response] | None:
        """The same for the commonest endpoint, in one coroutine: an async function of one JSON
        body and of what is injected, which returns a typed answer. None for any other.

        What ``build`` makes of closures is a call for each step; here, where a service spends
        its life, the steps stand in a row.
        """
        described, promised = self.operation.body, self.operation.answer
        function = self.declaration.function
        if (
            described is None
            or described.stream
            or described.type is bytes
            or not described.required
            or described.media_type != "application/json"
            or any(a.source not in ("body", "injected") for a in self.arguments)
            or not inspect.iscoroutinefunction(function)
            or promised.stream
            or promised.type in (None, bytes)
        ):
            return None
        assert self.body is not None
        marker = _body_marker(self.body)
        limit = marker.limit or limit
        name = self.body.name
        decode = Codec.of(described.type, strict=marker.strict).decode
        encode = Codec.of(promised.type).encode
        status = promised.status
        kind = (b"content-type", (promised.media_type or "application/json").encode())

        async def straight(request: Request) -> Response:
            try:
                body = request.body
                if body.__class__ is RequestBody:
                    content = await body.read_up_to(limit, request.headers)
                else:
                    content = await read_body(request, limit)
                if request.headers.first().get(b"content-type") != JSON:
                    check_media_type(request.headers, "application/json")
                arguments = constants.copy()
                arguments[name] = decode(content)
                result = await function(**arguments)
                if result.__class__ is Response:
                    return result
                written = encode(result)
                length = (b"content-length", b"%d" % len(written))
                return Response(status, Headers([kind, length]), written)
            except (Problem, CallError) as error:
                return self._refuse(error)
            except Exception:
                return self._fail(request)

        return straight

    def _filler(self) -> Callable[[Request, dict[str, Any]], list[Fault]]:
        """A function that adds the arguments that come as text, and returns what is wrong."""
        readers: list[tuple[str, Reader]] = []
        for a in self.arguments:
            if a.source == "request":
                readers.append((a.name, lambda request: request))
            elif a.source == "header":
                readers.append((a.name, _text_reader(a, _header_values(a.wire_name))))
            elif a.source == "path":
                readers.append((a.name, _text_reader(a, _path_values(a.wire_name))))
        spread = _spread([a for a in self.arguments if a.source in ("query", "cookie")])

        def fill(request: Request, arguments: dict[str, Any]) -> list[Fault]:
            faults: list[Fault] = []
            for name, reader in readers:
                try:
                    arguments[name] = reader(request)
                except Invalid as error:
                    faults += error.errors
            if spread is not None:
                spread(request, arguments, faults)
            return faults

        return fill

    def _body_reader(self, limit: int) -> tuple[Fetch | None, Decode]:
        """How the body is read, and what its bytes then become.

        A body that is handed on as a stream is not read here: there is nothing to fetch.
        """
        argument, described = self.body, self.operation.body
        if argument is None or described is None:
            return None, lambda request, content: None
        marker = _body_marker(argument)
        limit = marker.limit or limit
        media_type = described.media_type
        if argument.stream:
            codec = None if described.type is bytes else Codec.of(described.type)

            def stream(request: Request, content: bytes) -> AsyncIterator[Any]:
                check_media_type(request.headers, media_type)
                if codec is None:
                    return chunks_of(request.body)
                return read_items(request.body, codec, limit)

            return None, stream
        decode = (
            (lambda content: content)
            if described.type is bytes
            else Codec.of(described.type, strict=marker.strict).decode
        )
        required, default = argument.required, argument.default

        def whole(request: Request, content: bytes) -> Any:
            if not content and not required:
                return default
            check_media_type(request.headers, media_type)
            return decode(content)

        return partial(read_body, limit=limit), whole

    def _runner(self, pool: Executor) -> Callable[[dict[str, Any]], Any]:
        function = self.declaration.function
        if inspect.isasyncgenfunction(function):

            async def generate(arguments: dict[str, Any]) -> Any:
                return function(**arguments)

            return generate
        if inspect.iscoroutinefunction(function):
            return lambda arguments: function(**arguments)

        async def in_thread(arguments: dict[str, Any]) -> Any:
            context = contextvars.copy_context()
            call = partial(context.run, partial(function, **arguments))
            return await asyncio.get_running_loop().run_in_executor(pool, call)

        return in_thread

    def _encode(self) -> Callable[[Request, Any], Response]:
        described = self.operation.answer
        status = described.status
        if described.stream:
            return partial(_stream_response, status, described)
        if described.type is None:

            def nothing(request: Request, result: Any) -> Response:
                if isinstance(result, Response):
                    return result
                return Response(status, Headers([]), b"")

            return nothing
        media_type = (described.media_type or "application/json").encode()
        if described.type is bytes:

            def raw(request: Request, result: Any) -> Response:
                return (
                    result
                    if isinstance(result, Response)
                    else _with_length(status, media_type, result)
                )

            return raw
        encode = Codec.of(described.type).encode

        def typed(request: Request, result: Any) -> Response:
            if type(result) is Response:
                return result
            body = encode(result)
            return Response(
                status,
                Headers([(b"content-type", media_type), (b"content-length", b"%d" % len(body))]),
                body,
            )

        return typed

    def _refuse(self, error: Problem | CallError) -> Response:
        if isinstance(error, Problem) and error.answered_by and type(error) not in self.passed_on:
            error = unhandled(error)
        if error.status >= 500:
            log.warning("%s: %s: %s", self.operation.name, type(error).__name__, error)
        return answer(error)

    def _fail(self, request: Request) -> Response:
        log.exception("%s %s (%s) failed", request.method, request.path, self.operation.name)
        return answer(Internal())


def _with_length(status: int, media_type: bytes, body: bytes) -> Response:
    headers = [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]
    return Response(status, Headers(headers), body)


def _body_marker(argument: Argument) -> markers.Body:
    return argument.marker if isinstance(argument.marker, markers.Body) else markers.Body()


def _count(faults: list[Fault]) -> str:
    return "1 error" if len(faults) == 1 else f"{len(faults)} errors"


async def _until_closed(
    stack: AsyncExitStack, source: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    async with stack:
        async for chunk in source:
            yield chunk


def _stream_response(status: int, described: Answer, request: Request, result: Any) -> Response:
    if isinstance(result, Response):
        return result
    if described.type is bytes:
        media_type = described.media_type or "application/octet-stream"
        return Response(status, Headers([(b"content-type", media_type.encode())]), Stream(result))
    codec: Codec[Any] = Codec.of(described.type)
    events = described.type is ServerSentEvent or (
        described.media_type in (EVENTS, NDJSON) and wants_events(request)
    )
    write = encode_event if events else encode_ndjson

    async def lines() -> AsyncIterator[bytes]:
        try:
            async for item in result:
                yield write(item, codec)
        finally:
            close = getattr(result, "aclose", None)
            if close is not None:
                await close()

    media_type = EVENTS if events else described.media_type or NDJSON
    headers = [(b"content-type", media_type.encode()), (b"cache-control", b"no-store")]
    return Response(status, Headers(headers), Stream(lines()))


def _text_reader(argument: Argument, values: Callable[[Request], list[str]]) -> Reader:
    decode = TextCodec.of(argument.type).decode
    where = f"{argument.source}/{argument.wire_name}"

    def read(request: Request) -> Any:
        found = values(request)
        if not found:
            return _missing(argument, where)
        return decode(found, where)

    return read


def _missing(argument: Argument, where: str) -> Any:
    if argument.required:
        raise Invalid(errors=[Fault(where, "is missing")])
    return argument.default


def _header_values(name: str) -> Callable[[Request], list[str]]:
    return lambda request: request.headers.get_all(name)


def _path_values(name: str) -> Callable[[Request], list[str]]:
    return lambda request: [request.params[name]]


def _spread(
    arguments: list[Argument],
) -> Callable[[Request, dict[str, Any], list[Fault]], None] | None:
    """Query parameters and cookies: parsed once for all who want some."""
    if not arguments:
        return None
    plan = [
        (a, TextCodec.of(a.type).decode, f"{a.source}/{a.wire_name}", a.source == "query")
        for a in arguments
    ]
    cookies_wanted = any(a.source == "cookie" for a in arguments)

    def spread(request: Request, filled: dict[str, Any], faults: list[Fault]) -> None:
        query = parse_query(request.query) if request.query else {}
        cookies = parse_cookies(request.headers) if cookies_wanted else {}
        for argument, decode, where, in_query in plan:
            found = (query if in_query else cookies).get(argument.wire_name)
            try:
                filled[argument.name] = decode(found, where) if found else _missing(argument, where)
            except Invalid as error:
                faults += error.errors

    return spread


def parse_query(query: str) -> dict[str, list[str]]:
    """A query string as values by name, repeats kept in order.

    Raises:
        BadRequest: its escapes are not UTF-8.
    """
    values: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise BadRequest(detail="The query string is not UTF-8.") from None
    except ValueError as error:
        raise BadRequest(detail=f"The query string cannot be read: {error}.") from None
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def parse_cookies(headers: Headers) -> Mapping[str, list[str]]:
    """Cookies by name; a malformed Cookie header is as good as none."""
    jar: SimpleCookie = SimpleCookie()
    try:
        for field in headers.get_all("cookie"):
            jar.load(field)
    except CookieError:
        return {}
    return {name: [morsel.value] for name, morsel in jar.items()}
