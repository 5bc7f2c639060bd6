"""The bodies of requests: a value as bytes and its media type."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Literal

from msgspec import UNSET, Struct, to_builtins

from skerry.contract.codec import Codec
from skerry.core.wire import Body as WireBody
from skerry.core.wire import RawHeaders, Stream

from .parts import Part, text, write_object, write_query

Encode = Callable[[Any, RawHeaders], WireBody]
Kind = Literal["json", "form", "multipart", "text", "bytes", "lines"]


class File(Struct, frozen=True):
    """A file in a multipart form.

    Attributes:
        content: what is in it.
        name: what it is called; many servers look at the ending.
        media_type: what kind of content it is.
    """

    content: bytes
    name: str = "file"
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Body:
    """The body of an endpoint's requests; see the functions below for what each kind is."""

    kind: Kind
    type: Any
    media_type: str
    deep: tuple[str, ...] = ()


def body(type: Any, media_type: str = "application/json") -> Body:
    """One JSON value."""
    return Body("json", type, media_type)


def form(type: Any, *, deep: tuple[str, ...] = ()) -> Body:
    """Fields as an HTML form sends them; those in ``deep`` as ``field[key]=value``."""
    return Body("form", type, "application/x-www-form-urlencoded", deep)


def multipart(type: Any) -> Body:
    """Fields as an HTML form with files sends them: ``File`` and bytes become files, what is
    deeper than a scalar or a list of them becomes JSON (RFC 7578; OpenAPI 3.1, "Encoding")."""
    return Body("multipart", type, "multipart/form-data")


def text_body(media_type: str = "text/plain") -> Body:
    return Body("text", str, media_type)


def bytes_body(media_type: str = "application/octet-stream") -> Body:
    """Bytes as they are, or a stream of them."""
    return Body("bytes", bytes, media_type)


def lines_body(type: Any, media_type: str = "application/x-ndjson") -> Body:
    """A stream of JSON values, one a line."""
    return Body("lines", type, media_type)


def encoder(body: Body) -> Encode:
    """The function that turns a value into the bytes of this body, and names its type in the
    headers."""
    return _ENCODERS[body.kind](body)


def _json(body: Body) -> Encode:
    encode = Codec.of(Any).encode
    field = (b"content-type", body.media_type.encode("latin-1"))

    def run(value: Any, headers: RawHeaders) -> bytes:
        headers.append(field)
        return encode(value)

    return run


def _text(body: Body) -> Encode:
    field = (b"content-type", f"{body.media_type}; charset=utf-8".encode("latin-1"))

    def run(value: str, headers: RawHeaders) -> bytes:
        headers.append(field)
        return value.encode()

    return run


def _bytes(body: Body) -> Encode:
    field = (b"content-type", body.media_type.encode("latin-1"))

    def run(value: bytes | AsyncIterable[bytes], headers: RawHeaders) -> WireBody:
        headers.append(field)
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(value)
        return value if isinstance(value, Stream) else Stream(value)

    return run


def _lines(body: Body) -> Encode:
    encode = Codec.of(Any).encode
    field = (b"content-type", body.media_type.encode("latin-1"))

    def run(value: AsyncIterable[Any], headers: RawHeaders) -> Stream:
        headers.append(field)

        async def lines() -> Any:
            async for item in value:
                yield encode(item) + b"\n"

        return Stream(lines())

    return run


def _form(body: Body) -> Encode:
    field = (b"content-type", body.media_type.encode("latin-1"))
    deep = frozenset(body.deep)

    def run(value: Any, headers: RawHeaders) -> bytes:
        headers.append(field)
        pairs: list[tuple[str, str]] = []
        for name, item in _fields(value):
            plain = to_builtins(item, str_keys=True)
            if name in deep:
                pairs += write_object(Part("query", name, style="deepObject"), plain)
            elif isinstance(plain, Mapping):
                pairs.append((name, text(plain)))
            else:
                pairs += write_object(Part("query", name), plain)
        return write_query(pairs).encode()

    return run


def _multipart(body: Body) -> Encode:
    def run(value: Any, headers: RawHeaders) -> bytes:
        boundary = token_hex(16)
        headers.append((b"content-type", f"multipart/form-data; boundary={boundary}".encode()))
        line = f"--{boundary}".encode()
        pieces = [
            b"%s\r\n%s\r\n" % (line, _piece(name, one))
            for name, item in _fields(value)
            for one in (item if isinstance(item, list | tuple) else (item,))
        ]
        return b"".join([*pieces, line, b"--\r\n"])

    return run


def _piece(name: str, value: Any) -> bytes:
    head = f'content-disposition: form-data; name="{_quoted(name)}"'
    if isinstance(value, bytes):
        value = File(value, name)
    if isinstance(value, File):
        head += f'; filename="{_quoted(value.name)}"\r\ncontent-type: {_line(value.media_type)}'
        return head.encode() + b"\r\n\r\n" + value.content
    plain = to_builtins(value, str_keys=True)
    if isinstance(plain, Mapping):
        head += "\r\ncontent-type: application/json"
    return head.encode() + b"\r\n\r\n" + text(plain).encode()


def _fields(value: Any) -> list[tuple[str, Any]]:
    """The set fields of a model or a mapping, by their names on the wire."""
    if isinstance(value, Mapping):
        pairs = list(value.items())
    else:
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        pairs = [(wire, getattr(value, name)) for wire, name in names]
        config = value.__struct_config__
        if config.tag is not None:
            pairs.insert(0, (config.tag_field, config.tag))
    return [(name, item) for name, item in pairs if item is not UNSET and item is not None]


def _quoted(name: str) -> str:
    """As browsers do it (WHATWG HTML, multipart/form-data): no quote or line break gets out."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _line(value: str) -> str:
    return value.replace("\r", "").replace("\n", "")


_ENCODERS: dict[Kind, Callable[[Body], Encode]] = {
    "json": _json,
    "form": _form,
    "multipart": _multipart,
    "text": _text,
    "bytes": _bytes,
    "lines": _lines,
}
