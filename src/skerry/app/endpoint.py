"""An endpoint: a declared function, turned into a service from request to response."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

from skerry.contract.codec import Codec
from skerry.contract.faults import invalid
from skerry.core.answer import answer
from skerry.core.errors import CallError, ConfigError, Internal, Invalid, Problem, unhandled
from skerry.core.service import Service
from skerry.core.wire import JSON, Headers, Request, Response, Stream
from skerry.filters.idempotency import Idempotency, keyed
from skerry.telemetry.spans import here

from .answers import finisher
from .arguments import filler
from .binding import Argument, bind, is_plain, split_template_names
from .body import RequestBody, check_media_type, chunks_of, read_body, read_items
from .declare import Declaration
from .describe import body_argument, body_marker, operation_of, returned
from .resources import Container
from .responses import Reply
from .scope import Scope, ScopedChunks
from .threads import Threads
from .tolerance import UnknownFields

log = logging.getLogger("skerry.app")

Work: TypeAlias = Callable[[Request, Scope | None], Awaitable[Response]]
"""From a request to its answer; what goes wrong is raised."""


class Endpoint:
    """A declaration whose types have been worked out.

    Args:
        injectable: whether a type is registered with the app.

    Raises:
        ConfigError: see ``binding.bind``.
    """

    def __init__(self, declaration: Declaration, injectable: Callable[[Any], bool]) -> None:
        self.declaration = declaration
        self.arguments = bind(
            declaration.function,
            method=declaration.method,
            path_names=split_template_names(declaration.path),
            injectable=injectable,
            local=declaration.local,
        )
        self.body = body_argument(self.arguments)
        self.operation = operation_of(declaration, self.arguments)
        self._passed_on = frozenset(declaration.problems)
        self._check_once(injectable)

    def _check_once(self, injectable: Callable[[Any], bool]) -> None:
        """Refuse what cannot be done in one transaction, or answered again."""
        idempotent = self.declaration.idempotent is not None
        if not idempotent and self._named("idempotency"):
            raise ConfigError("Idempotency is given to endpoints with idempotent= alone")
        what = "an idempotent endpoint" if idempotent else "an endpoint that asks for a Session"
        if not (idempotent or self._named("session")):
            return
        if self.operation.answer.stream or (idempotent and self.body and self.body.stream):
            raise ConfigError(f"{what} does not stream: what it answers must be whole to be kept")
        data = sys.modules.get("skerry.data.database")
        if data is None or not injectable(data.Database):
            raise ConfigError(f"{what} needs a database: register a Database as a resource")

    def _named(self, source: str) -> str:
        """The argument that comes from ``source``; empty if none does."""
        return next((a.name for a in self.arguments if a.source == source), "")

    def body_limit(self, otherwise: int) -> int:
        """The largest body in bytes that it reads."""
        limit = None if self.body is None else body_marker(self.body).limit
        return otherwise if limit is None else limit

    def build(
        self, container: Container, threads: Threads, limit: int, unknown: UnknownFields
    ) -> Service[Request, Response]:
        """The function as a service: arguments in, the function, its answer out.

        Args:
            threads: where plain ``def`` functions run.
            limit: the largest body in bytes, where the endpoint names none.
            unknown: told of fields that no type knows.

        Raises:
            ConfigError: a type cannot be read or written.
        """
        injected = [a for a in self.arguments if a.source == "injected"]
        scoped = [a for a in injected if container.is_request_scoped(a.type)]
        constants = {a.name: container.instance_value(a.type) for a in injected if a not in scoped}
        work = self._work(
            constants, scoped, limit, unknown, self._begin(), self._transact(container)
        )
        if scoped or is_plain(self.declaration.function):
            work = _within_scope(work, container, threads)
        return self._answering(work)

    def _work(
        self,
        constants: dict[str, Any],
        scoped: list[Argument],
        limit: int,
        unknown: UnknownFields,
        begin: Callable[[dict[str, Any]], object] | None,
        transact: Callable[[Request, dict[str, Any]], Awaitable[Response]] | None,
    ) -> Work:
        """The way of every request, in one function because a service spends its life here."""
        function, described = self.declaration.function, self.operation.answer
        calls_generator = inspect.isasyncgenfunction(function)
        fill = filler(self.arguments)
        body_name = self.body.name if self.body is not None else ""
        stream = self._streamed_body(limit)
        decode, required, default, media_type, limit = self._whole_body(limit, unknown)
        finish = finisher(described, function, returned(self.declaration))
        encode = None
        if described.type not in (None, bytes) and not described.stream:
            encode = Codec.of(described.type).encode
        status = described.status
        kind = (b"content-type", (described.media_type or "").encode())

        async def work(request: Request, scope: Scope | None) -> Response:
            arguments = constants.copy()
            faults = None if fill is None else fill(request, arguments)
            if decode is not None:
                body = request.body
                if body.__class__ is RequestBody:
                    content = await body.read_up_to(limit, request.headers)
                else:
                    content = await read_body(request, limit)
                if content or required:
                    found = request.headers.first().get(b"content-type")
                    if found != JSON or media_type != "application/json":
                        check_media_type(request.headers, media_type)
                    try:
                        arguments[body_name] = decode(content)
                    except Invalid as error:
                        faults = [*(faults or ()), *error.errors]
                else:
                    arguments[body_name] = default
            elif stream is not None:
                arguments[body_name] = stream(request)
            if faults:
                raise invalid(faults)
            if scope is not None:
                for a in scoped:
                    arguments[a.name] = await scope.value(a.type)
            if begin is not None:
                begin(arguments)
            if transact is not None:
                return await transact(request, arguments)
            if scope is not None:
                if calls_generator:
                    result = function(**arguments)
                else:
                    result = await scope.run(function, arguments)
            elif calls_generator:
                result = function(**arguments)
            else:
                result = await function(**arguments)
            if encode is not None and result.__class__ not in _READY:
                written = encode(result)
                length = (b"content-length", b"%d" % len(written))
                return Response(status, Headers([kind, length]), written)
            response = finish(request, result)
            return response if isinstance(response, Response) else await response

        return work

    def _begin(self) -> Callable[[dict[str, Any]], object] | None:
        """What is done right before an idempotent function is called; None for others."""
        if self.declaration.idempotent is None:
            return None
        name = self._named("idempotency")

        def begin(arguments: dict[str, Any]) -> None:
            held = keyed.get()
            if held is not None:
                held.begun = True
            if name:
                arguments[name] = Idempotency() if held is None else held.idempotency

        return begin

    def _transact(
        self, container: Container
    ) -> Callable[[Request, dict[str, Any]], Awaitable[Response]] | None:
        """What runs the function in a transaction; None for one that does not ask for it."""
        session = self._named("session")
        if not session:
            return None
        from skerry.data.database import Database

        from .transaction import Transaction

        function = self.declaration.function
        respond = finisher(self.operation.answer, function, returned(self.declaration))
        return Transaction(container.instance_value(Database), function, session, respond)

    def _whole_body(
        self, limit: int, unknown: UnknownFields
    ) -> tuple[Callable[[bytes], Any] | None, bool, Any, str, int]:
        argument, described = self.body, self.operation.body
        if argument is None or described is None or argument.stream:
            return None, False, None, "", limit
        marker = body_marker(argument)
        decode: Callable[[bytes], Any] = _same
        if described.type is not bytes:
            codec = Codec.of(described.type, strict=marker.strict)
            decode = unknown.decoder(codec, self.operation.name)
        limit = limit if marker.limit is None else marker.limit
        return decode, argument.required, argument.default, described.media_type, limit

    def _streamed_body(self, limit: int) -> Callable[[Request], AsyncIterator[Any]] | None:
        argument, described = self.body, self.operation.body
        if argument is None or described is None or not argument.stream:
            return None
        media_type = described.media_type
        longest = body_marker(argument).limit or limit
        codec = None if described.type is bytes else Codec.of(described.type)

        def stream(request: Request) -> AsyncIterator[Any]:
            check_media_type(request.headers, media_type)
            if codec is None:
                return chunks_of(request.body)
            return read_items(request.body, codec, longest)

        return stream

    def _answering(self, work: Work) -> Service[Request, Response]:
        """``work``, and an answer also for what goes wrong in it."""

        async def call(request: Request) -> Response:
            try:
                return await work(request, None)
            except (Problem, CallError) as error:
                return self._refuse(error)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                return self._fail(request)  # something the function waited for was cancelled
            except (Exception, SystemExit):  # a library that exits does not take all others along
                return self._fail(request)

        return call

    def _refuse(self, error: Problem | CallError) -> Response:
        if isinstance(error, Problem) and error.answered_by and type(error) not in self._passed_on:
            error = unhandled(error)
        if error.status >= 500:
            log.warning("%s: %s: %s", self.operation.name, type(error).__name__, error)
        span = here()
        if span is not None:
            span.error = type(error).__qualname__
            if detail := str(error):
                span.set("skerry.problem", detail)
        return answer(error)

    def _fail(self, request: Request) -> Response:
        log.exception("%s %s (%s) failed", request.method, request.path, self.operation.name)
        span, error = here(), sys.exception()
        if span is not None and error is not None:
            span.fail(error)
        return answer(Internal())


def _within_scope(work: Work, container: Container, threads: Threads) -> Work:
    """``work`` with a scope for what it opens; closed after it, or after the body it streams."""

    async def scoped(request: Request, _: Scope | None) -> Response:
        scope = Scope(container, threads, request)
        try:
            response = await work(request, scope)
        except BaseException as error:
            if await scope.close(error) and isinstance(error, Exception):
                raise RuntimeError(
                    f"a resource kept {error!r} to itself; raise it again"
                ) from error
            raise
        if isinstance(response.body, Stream) and scope.holds:
            response.body = Stream(ScopedChunks(response.body, scope))
        else:
            await scope.close()
        return response

    return scoped


_READY = frozenset({Response, Reply})


def _same(content: bytes) -> bytes:
    return content
