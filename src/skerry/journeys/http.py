"""A client of the front door: what a person's browser would send, without the browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import msgspec

from skerry.core.errors import UnexpectedResponse
from skerry.core.service import Service
from skerry.core.wire import Headers, Request, Response, read_all

Query = Mapping[str, Any] | Sequence[tuple[str, Any]]

_AS_IT_IS = "/:@!$&'()*+,;=~-._%[]"
_MOST_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
_KEEP_METHOD = (307, 308)


class Answer:
    """An answer, read to its end.

    Attributes:
        status: the HTTP status.
        url: the path and query that it came from, after redirects.
        headers: see ``skerry.core.wire.Headers``.
        content: the body.
    """

    def __init__(self, status: int, url: str, headers: Headers, content: bytes) -> None:
        self.status = status
        self.url = url
        self.headers = headers
        self.content = content

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self, kind: Any = Any) -> Any:
        """The body as JSON; with ``kind``, as that type."""
        return msgspec.json.decode(self.content, type=kind)

    def ok(self) -> Answer:
        """This answer, if it is a success.

        Raises:
            AssertionError: its status is 400 or above, or a redirect that was not followed.
        """
        if not 200 <= self.status < 300:
            raise AssertionError(f"{self.url} answered {self.status}: {self.text[:200]}")
        return self

    def __repr__(self) -> str:
        return f"Answer({self.status}, {self.url!r}, {self.content[:120]!r})"


class Http:
    """Requests to one address: the front door, or one app. Keeps cookies, follows redirects.

    Args:
        service: who answers.
        name: for messages.
        host: that it is reached by; redirects to another are not followed. Empty where that is
            nobody's to say: then they are taken to mean this address.
    """

    def __init__(
        self, service: Service[Request, Response], name: str = "front door", host: str = ""
    ) -> None:
        self._service = service
        self._name = name
        self._host = host
        self.cookies: dict[str, str] = {}

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = msgspec.UNSET,
        form: Query | None = None,
        content: bytes = b"",
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Answer:
        """Send one request and read the answer to its end.

        Args:
            json, form, content: the body, as one of them.
            follow: go where redirects lead, as browsers do, but to nobody else.

        Raises:
            CallError: there was no answer.
        """
        fields = Headers.of(headers or {})
        if json is not msgspec.UNSET:
            content = msgspec.json.encode(json)
            _default(fields, "content-type", "application/json")
        elif form is not None:
            content = urlencode(form, doseq=True).encode()
            _default(fields, "content-type", "application/x-www-form-urlencoded")
        bare, _, inline = path.partition("?")
        text = "&".join(part for part in (inline, urlencode(query or (), doseq=True)) if part)
        answer = await self._send(method.upper(), bare, text, fields, content)
        for _ in range(_MOST_REDIRECTS):
            location = answer.headers.get("location")
            if not follow or answer.status not in _REDIRECTS or location is None:
                return answer
            parts = urlsplit(urljoin(answer.url, location))
            if parts.netloc and self._host and parts.netloc != self._host:
                return answer
            if answer.status not in _KEEP_METHOD:
                method, content = "GET", b""
                fields = fields.without(frozenset({b"content-type"}))
            bare, text = parts.path or "/", parts.query
            answer = await self._send(method.upper(), bare, text, fields, content)
        raise UnexpectedResponse(
            f"more than {_MOST_REDIRECTS} redirects, the last to {answer.url}", app=self._name
        )

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Answer:
        return await self.request("POST", path, **options)

    async def put(self, path: str, **options: Any) -> Answer:
        return await self.request("PUT", path, **options)

    async def patch(self, path: str, **options: Any) -> Answer:
        return await self.request("PATCH", path, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        return await self.request("DELETE", path, **options)

    async def _send(
        self, method: str, path: str, query: str, fields: Headers, content: bytes
    ) -> Answer:
        headers = fields.copy()
        if content:
            headers.set("content-length", str(len(content)))
        if self.cookies:
            headers.set("cookie", "; ".join(f"{k}={v}" for k, v in self.cookies.items()))
        path = quote(path if path.startswith("/") else f"/{path}", safe=_AS_IT_IS)
        response = await self._service(Request(method, path, query, headers, content))
        body = await read_all(response.body)
        self._keep(response.headers)
        return Answer(response.status, f"{path}?{query}" if query else path, response.headers, body)

    def _keep(self, headers: Headers) -> None:
        for field in headers.get_all("set-cookie"):
            try:
                for name, morsel in SimpleCookie(field).items():
                    if morsel["max-age"] == "0" or not morsel.value:
                        self.cookies.pop(name, None)
                    else:
                        self.cookies[name] = morsel.coded_value
            except CookieError:
                continue


def _default(fields: Headers, name: str, value: str) -> None:
    if name not in fields:
        fields.add(name, value)
