"""What a plain client stands on: this file's two sections are copied into it.

Nothing of Skerry is imported here, and nothing here is imported by Skerry.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from dataclasses import MISSING
from decimal import Decimal
from enum import Enum
from functools import partial
from types import NoneType, TracebackType, UnionType
from typing import (
    Any,
    ClassVar,
    Generic,
    Literal,
    Self,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx

# section: top
T = TypeVar("T")


class Unset(Enum):
    """A field that is absent, which is not the same as null."""

    UNSET = "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET = Unset.UNSET


class Problem(Exception):
    """An answer that says what is wrong; ``document`` is the whole of it."""

    __type__: ClassVar[str] = ""
    __wire__: ClassVar[Mapping[str, str]] = {}

    def __init__(self, status: int, document: Any = None) -> None:
        said = document if isinstance(document, dict) else {}
        detail = said.get("detail") or said.get("message") or said.get("title")
        super().__init__(f"{status} {detail}" if detail else str(status))
        self.status = status
        self.document = document


class UnexpectedResponse(Exception):
    """An answer that the contract does not speak of."""

    def __init__(self, detail: str, response: httpx.Response) -> None:
        super().__init__(detail)
        self.response = response


@dataclasses.dataclass(frozen=True)
class File:
    """A file in a multipart form."""

    content: bytes
    name: str = "file"
    media_type: str = "application/octet-stream"


@dataclasses.dataclass(frozen=True)
class Redirect:
    """An answer that says where to look instead."""

    status: int
    location: str


class AsyncClient:
    """The base of the client below."""

    __url__: ClassVar[str] = ""

    def __init__(
        self,
        url: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._url = (url or self.__url__).rstrip("/")
        self._headers = dict(headers or {})
        self._http = http or httpx.AsyncClient()

    async def close(self) -> None:
        await self._http.aclose()

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
        arguments = endpoint.arguments(self._url, self._headers, values)
        request = self._http.build_request(**arguments)
        return endpoint.read(await self._http.send(request))

    async def _stream(self, endpoint: Endpoint[T], *values: Any) -> AsyncIterator[T]:
        arguments = endpoint.arguments(self._url, self._headers, values)
        request = self._http.build_request(**arguments)
        response = await self._http.send(request, stream=True)
        if not response.is_success:
            await response.aread()
            endpoint.read(response)
        return self._items(endpoint, response)

    async def _items(
        self,
        endpoint: Endpoint[T],
        response: httpx.Response,
    ) -> AsyncIterator[T]:
        split = endpoint.splitter(response)
        try:
            async for chunk in response.aiter_bytes():
                for item in split.feed(chunk):
                    yield endpoint.item(response, item)
            for item in split.feed(b"", end=True):
                yield endpoint.item(response, item)
        finally:
            await response.aclose()


class SyncClient:
    """The base of the client for code that does not await."""

    __url__: ClassVar[str] = ""

    def __init__(
        self,
        url: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self._url = (url or self.__url__).rstrip("/")
        self._headers = dict(headers or {})
        self._http = http or httpx.Client()

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _call(self, endpoint: Endpoint[T], *values: Any) -> T:
        arguments = endpoint.arguments(self._url, self._headers, values)
        request = self._http.build_request(**arguments)
        return endpoint.read(self._http.send(request))

    def _stream(self, endpoint: Endpoint[T], *values: Any) -> Iterator[T]:
        arguments = endpoint.arguments(self._url, self._headers, values)
        request = self._http.build_request(**arguments)
        response = self._http.send(request, stream=True)
        if not response.is_success:
            response.read()
            endpoint.read(response)
        return self._items(endpoint, response)

    def _items(self, endpoint: Endpoint[T], response: httpx.Response) -> Iterator[T]:
        split = endpoint.splitter(response)
        try:
            for chunk in response.iter_bytes():
                for item in split.feed(chunk):
                    yield endpoint.item(response, item)
            for item in split.feed(b"", end=True):
                yield endpoint.item(response, item)
        finally:
            response.close()


# section: bottom
@dataclasses.dataclass(frozen=True)
class Part:
    """A parameter: where it stands, and how it is written."""

    where: str
    name: str
    type: Any = str
    default: Any = None
    style: str = "form"
    explode: bool = True
    mint: bool = False

    def pairs(self, value: Any) -> list[tuple[str, str]]:
        plain = encode(value)
        if self.style == "json":
            return [(self.name, json.dumps(plain))]
        if self.style == "deepObject":
            return list(deep(self.name, plain))
        if isinstance(plain, dict):
            words = [(key, text(item)) for key, item in plain.items()]
            if self.explode and self.where in ("query", "cookie"):
                return words
            sign = "=" if self.explode else ","
            return [(self.name, ",".join(key + sign + word for key, word in words))]
        if not isinstance(plain, list):
            return [(self.name, text(plain))]
        if self.explode and self.where in ("query", "cookie"):
            return [(self.name, text(item)) for item in plain]
        sign = {"spaceDelimited": " ", "pipeDelimited": "|"}.get(self.style, ",")
        return [(self.name, sign.join(text(item) for item in plain))]


@dataclasses.dataclass(frozen=True)
class Body:
    """What a request carries."""

    kind: str
    type: Any
    media_type: str = "application/json"
    deep: tuple[str, ...] = ()

    def arguments(self, value: Any) -> dict[str, Any]:
        """As httpx takes it."""
        headers = {"content-type": self.media_type}
        if self.kind == "json":
            return {"content": json.dumps(encode(value)), "headers": headers}
        if self.kind in ("text", "bytes"):
            return {"content": value, "headers": headers}
        if self.kind == "lines":
            return {"content": self._lines(value), "headers": headers}
        fields = encode(value, files=True)
        if self.kind == "multipart":
            return {"files": list(self._multipart(fields)), "headers": {}}
        pairs: list[tuple[str, str]] = []
        for name, item in fields.items():
            style = "deepObject" if name in self.deep else "form"
            if isinstance(item, dict) and style == "form":
                pairs.append((name, json.dumps(item)))
            else:
                pairs += Part("query", name, style=style).pairs(item)
        return {"content": write_query(pairs), "headers": headers}

    def _multipart(self, fields: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, value in fields.items():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, File):
                    yield name, (item.name, item.content, item.media_type)
                elif isinstance(item, bytes):
                    yield name, (name, item)
                else:
                    yield name, (None, text(item))

    async def _lines(self, value: AsyncIterable[Any]) -> AsyncIterator[bytes]:
        async for item in value:
            yield json.dumps(encode(item)).encode() + b"\n"


path = partial(Part, "path", style="simple", explode=False)
query = partial(Part, "query")
header = partial(Part, "header", style="simple", explode=False)
cookie = partial(Part, "cookie", explode=False)
body = partial(Body, "json")
form = partial(Body, "form", media_type="application/x-www-form-urlencoded")
multipart = partial(Body, "multipart", media_type="multipart/form-data")


def idempotency_key(name: str = "Idempotency-Key") -> Part:
    return header(name, mint=True)


def text_body(media_type: str = "text/plain") -> Body:
    return Body("text", str, media_type)


def bytes_body(media_type: str = "application/octet-stream") -> Body:
    return Body("bytes", bytes, media_type)


def lines_body(type: Any, media_type: str = "application/x-ndjson") -> Body:
    return Body("lines", type, media_type)


class Items(Generic[T]):
    """Marks an answer that comes one item at a time."""


class Endpoint(Generic[T]):
    """How a call is written, and its answer read."""

    def __init__(
        self,
        name: str,
        method: str,
        path: str,
        *parts: Part | Body,
        answers: Mapping[int | str, Any],
        raises: Mapping[int | str, Any] | None = None,
        accept: str = "application/json, */*;q=0.5",
    ) -> None:
        self.name = name
        self.method = method
        self.path = path
        self.parts = parts
        self.answers = answers
        self.raises = raises or {}
        self.accept = accept

    def arguments(
        self,
        url: str,
        headers: Mapping[str, str],
        values: tuple[Any, ...],
    ) -> dict[str, Any]:
        """As ``httpx.Client.build_request`` takes them."""
        fields = [("accept", self.accept), *headers.items()]
        target, pairs, made = self.path, [], dict[str, Any]()
        for part, value in zip(self.parts, values, strict=True):
            if isinstance(part, Body):
                if value is not None:
                    made = part.arguments(value)
                    fields += made.pop("headers").items()
            elif part.where == "path":
                words = ",".join(word for _, word in part.pairs(value))
                if not words:
                    raise ValueError(f"the path parameter {part.name!r} is empty")
                target = target.replace(f"{{{part.name}}}", quote(words, safe=""))
            elif part.mint:
                fields.append((part.name, value or uuid4().hex))
            elif value is None or value is UNSET or value == part.default:
                continue
            elif part.where == "query":
                pairs += part.pairs(value)
            else:
                words = ",".join(word for _, word in part.pairs(value))
                if part.where == "cookie":
                    fields.append(("cookie", f"{part.name}={words}"))
                else:
                    fields.append((part.name, words))
        target += f"?{write_query(pairs)}" if pairs else ""
        return {"method": self.method, "url": url + target, "headers": fields, **made}

    def read(self, response: httpx.Response) -> T:
        """What an answer means; raises ``Problem`` or ``UnexpectedResponse``."""
        status = response.status_code
        for key in (status, f"{status // 100}XX", "default"):
            if key in self.answers:
                return self._answer(response, self.answers[key])
        for key in (status, f"{status // 100}XX", "default") if status >= 400 else ():
            if key in self.raises:
                found = self.raises[key]
                classes = found if isinstance(found, tuple) else (found,)
                raise self._problem(response, classes)
        detail = f"{self.name}: the contract does not speak of a {status} answer"
        raise UnexpectedResponse(detail, response)

    def splitter(self, response: httpx.Response) -> Splitter:
        return Splitter(response, text=self._item() is str)

    def item(self, response: httpx.Response, data: bytes) -> T:
        """One item of a stream; events may carry strings as they are."""
        try:
            return self._decode(response, self._item(), data)
        except UnexpectedResponse:
            events = "event-stream" in response.headers.get("content-type", "")
            if events and self._item() is str:
                return data.decode("utf-8", "replace")  # type: ignore[return-value]
            raise

    def _item(self) -> Any:
        return get_args(next(iter(self.answers.values())))[0]

    def _answer(self, response: httpx.Response, hint: Any) -> T:
        value: Any = None
        if hint is Redirect:
            value = Redirect(response.status_code, response.headers.get("location", ""))
        elif hint is bytes:
            value = response.content
        elif hint is str and "json" not in response.headers.get("content-type", ""):
            value = response.text
        elif hint is not None:
            value = self._decode(response, hint, response.content)
        return value  # type: ignore[no-any-return]

    def _decode(self, response: httpx.Response, hint: Any, data: str | bytes) -> T:
        try:
            return decode(hint, json.loads(data))  # type: ignore[no-any-return]
        except ValueError as error:
            detail = f"{self.name}: the answer does not fit the contract: {error}"
            raise UnexpectedResponse(detail, response) from error

    def _problem(
        self,
        response: httpx.Response,
        classes: tuple[type[Problem], ...],
    ) -> Exception:
        try:
            document = response.json()
        except ValueError:
            document = None
        said = document if isinstance(document, dict) else {}
        uri = said.get("type") or None
        named = [cls for cls in classes if cls.__type__ == uri]
        error: Exception | None = None
        for cls in named or classes:
            problem = cls(response.status_code, document)
            try:
                decode_members(problem, said)
            except ValueError as fault:
                error = fault
            else:
                return problem
        detail = f"{self.name}: the {response.status_code} answer does not fit: {error}"
        return UnexpectedResponse(detail, response)


class Splitter:
    """Bytes into items: NDJSON, or the data of server-sent events."""

    def __init__(self, response: httpx.Response, *, text: bool) -> None:
        media_type = response.headers.get("content-type", "")
        self._events = media_type.startswith("text/event-stream")
        self._text = text
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes, *, end: bool = False) -> Iterator[bytes]:
        self._rest += chunk
        if end and self._rest:
            self._rest += b"\n"
        for line in self._lines():
            if not self._events:
                yield from [line] if line.strip() else []
            elif line:
                name, _, value = line.partition(b":")
                if name == b"data":
                    self._data.append(value.removeprefix(b" "))
            elif self._data:
                item, self._data = b"\n".join(self._data), []
                if self._text or item not in (b"", b"[DONE]"):
                    yield item

    def _lines(self) -> list[bytes]:
        held = b""
        if self._events:  # CR, LF and CRLF end a line; a last CR may be half of a CRLF
            self._rest = self._rest.removeprefix(b"\xef\xbb\xbf")
            held = b"\r" if self._rest.endswith(b"\r") else b""
            text = self._rest.removesuffix(held).replace(b"\r\n", b"\n")
            self._rest = text.replace(b"\r", b"\n")
        *found, rest = self._rest.split(b"\n")
        self._rest = rest + held
        return found


def write_query(pairs: list[tuple[str, str]]) -> str:
    return "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in pairs)


def text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def deep(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from deep(f"{name}[{key}]", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from deep(f"{name}[{index}]", item)
    elif value is not None:
        yield name, text(value)


def encode(value: Any, *, files: bool = False) -> Any:
    """As JSON's values; files and bytes as they are where ``files`` is set."""
    if files and isinstance(value, bytes | File):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found = {
            field.metadata.get("name", field.name): getattr(value, field.name)
            for field in dataclasses.fields(value)
        }
        return {k: encode(v, files=files) for k, v in found.items() if v is not UNSET}
    if isinstance(value, Mapping):
        return {str(k): encode(v, files=files) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [encode(item, files=files) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return f"{'-' * (value < dt.timedelta())}PT{abs(value).total_seconds():f}S"
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def decode_members(problem: Problem, said: Mapping[str, Any]) -> None:
    for name, hint in get_type_hints(type(problem)).items():
        if name.startswith("__"):
            continue
        key = problem.__wire__.get(name, name)
        if key in said:
            setattr(problem, name, decode(hint, said[key], f"#/{key}"))
        elif not hasattr(problem, name):
            raise ValueError(f"#/{key} is missing")


def decode(hint: Any, value: Any, at: str = "#") -> Any:
    """A value of JSON as one of the type; ``ValueError`` says where it is none."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, UnionType):
        return decode_union(inner, value, at)
    if origin is Literal:
        if value in inner:
            return value
    elif origin is list:
        if isinstance(value, list):
            return [decode(inner[0], item, f"{at}/{i}") for i, item in enumerate(value)]
    elif origin is tuple:
        if isinstance(value, list) and len(value) == len(inner):
            pairs = enumerate(zip(inner, value, strict=True))
            return tuple(decode(one, item, f"{at}/{i}") for i, (one, item) in pairs)
    elif origin is dict:
        if isinstance(value, dict):
            return {k: decode(inner[1], item, f"{at}/{k}") for k, item in value.items()}
    elif dataclasses.is_dataclass(hint):
        if isinstance(value, dict):
            return decode_object(hint, value, at)
    elif hint in (None, NoneType):
        if value is None:
            return None
    elif isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    elif hint in (int, float, bool, str):
        if type(value) is hint or (hint is float and type(value) is int):
            return hint(value)
    elif hint is Decimal and isinstance(value, str | int | float):
        if re.fullmatch(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?", str(value)):
            return Decimal(str(value))
    elif hint in (dt.datetime, dt.date, dt.time) and isinstance(value, str):
        return hint.fromisoformat(value)
    elif hint is dt.timedelta and isinstance(value, str):
        return decode_duration(value, at)
    elif hint is UUID and isinstance(value, str):
        return UUID(value)
    elif hint is bytes and isinstance(value, str):
        return base64.b64decode(value)
    raise ValueError(f"{at} is not {getattr(hint, '__name__', hint)}")


def decode_duration(value: str, at: str) -> dt.timedelta:
    number = "([0-9.]+)"
    form = f"([-+]?)P(?:{number}D)?(?:T(?:{number}H)?(?:{number}M)?(?:{number}S)?)?"
    found = re.fullmatch(form, value)
    if found is None:
        raise ValueError(f"{at} is not a duration")
    sign, *parts = found.groups()
    days, hours, minutes, seconds = (float(part or 0) for part in parts)
    made = dt.timedelta(days, seconds, hours=hours, minutes=minutes)
    return -made if sign == "-" else made


def decode_object(hint: Any, value: Mapping[str, Any], at: str) -> Any:
    found: dict[str, Any] = {}
    hints = get_type_hints(hint)
    for field in dataclasses.fields(hint):
        key = field.metadata.get("name", field.name)
        if key in value:
            found[field.name] = decode(hints[field.name], value[key], f"{at}/{key}")
        elif (field.default, field.default_factory) == (MISSING, MISSING):
            raise ValueError(f"{at}/{key} is missing")
    return hint(**found)


def decode_union(hints: tuple[Any, ...], value: Any, at: str) -> Any:
    """The member that fits; of several objects, the one that knows most of the fields."""

    def known(hint: Any) -> int:
        if not (dataclasses.is_dataclass(hint) and isinstance(value, dict)):
            return 0
        names = (f.metadata.get("name", f.name) for f in dataclasses.fields(hint))
        return -sum(name in value for name in names)

    faults = []
    for hint in sorted((h for h in hints if h is not Unset), key=known):
        try:
            return decode(hint, value, at)
        except ValueError as error:
            faults.append(str(error))
    raise ValueError("; ".join(dict.fromkeys(faults)))
