"""What a client is made of: the names that generated modules import, and the base class.

A client class has one async method for each endpoint; each hands its arguments to ``_call``
with the ``Endpoint`` that knows the wire::

    class Schools(Client):
        __app__ = "schools"

        async def get_school(self, school_id: str) -> School:
            return await self._call(_GET_SCHOOL, school_id)


    _GET_SCHOOL = Endpoint[School](
        "get_school", "GET", "/schools/{school_id}", path("school_id"), answers={200: School}
    )
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

from skerry.core.errors import BadRequest, ConfigError, Invalid, Problem
from skerry.core.service import Service
from skerry.core.wire import Headers, Request, Response

from .bodies import Body, File, body, bytes_body, form, lines_body, multipart, text_body
from .endpoint import Endpoint, Redirect
from .items import Items
from .oneof import OneOf
from .parts import Part, cookie, header, idempotency_key, path, query
from .received import keep

__all__ = [
    "Body",
    "Client",
    "Endpoint",
    "File",
    "Items",
    "OneOf",
    "Part",
    "Problem",
    "Redirect",
    "body",
    "bytes_body",
    "cookie",
    "form",
    "header",
    "idempotency_key",
    "lines_body",
    "multipart",
    "path",
    "query",
    "text_body",
]

T = TypeVar("T")


class Client:
    """The base of every client.

    Args:
        service: answers the requests. In an app, the stack of the app that is called; a
            function, in a test.
        close: called by ``close``; gives back what ``service`` holds.
    """

    __app__: ClassVar[str] = ""
    """The app this is a client of: what injects it, and what errors name."""

    __url__: ClassVar[str] = ""
    """Where the contract says the app is; empty where the fleet knows."""

    def __init__(
        self,
        service: Service[Request, Response],
        *,
        close: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._service = service
        self._close = close

    @classmethod
    def connect(cls, url: str = "", *, headers: Mapping[str, str] | None = None) -> Self:
        """A client of whatever listens at ``url``, with the whole default stack around it.

        Args:
            url: scheme and host, and a path if one goes before those of the contract; where
                the contract says the app is, by default.
            headers: sent with every request: ``{"authorization": "Bearer ..."}``.

        Raises:
            ConfigError: no URL is given and the contract names none.
        """
        from skerry.stack.connector import connection

        url = url or cls.__url__
        if not url:
            raise ConfigError(f"{cls.__name__}.connect needs a URL; the contract names none")
        service = connection(url, app=cls.__app__)
        if not headers:
            return cls(service, close=service.close)
        return cls(_with_headers(service, headers), close=service.close)

    async def close(self) -> None:
        """Close the connections that ``connect`` opened."""
        if self._close is not None:
            await self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _call(self, endpoint: Endpoint[T], *values: Any) -> T:
        response = await self._service(endpoint.request(values))
        keep(response)
        body = response.body
        decode = endpoint.decoders.get(response.status)
        if decode is None or body.__class__ is not bytes:
            return await endpoint.read(response, self.__app__)
        try:
            value: T = decode(body)
        except (BadRequest, Invalid) as error:
            raise endpoint.misfit(response, body, error, self.__app__) from error
        return value

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: a client of {self.__app__ or 'an app'}>"


def _with_headers(
    service: Service[Request, Response], headers: Mapping[str, str]
) -> Service[Request, Response]:
    fields = Headers.of(headers).raw

    def call(request: Request, /) -> Awaitable[Response]:
        request.headers.raw.extend(fields)
        return service(request)

    return call
