"""Requests, responses, headers and bodies: HTTP as values, with no library's types in them.

The same two values go through client stacks, server stacks and the loopback, so that a filter
is written once. They hold *encoded* bytes: whoever crosses a process boundary and whoever does
not see the same thing.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct, field

RawHeaders: TypeAlias = list[tuple[bytes, bytes]]

# Methods that a server promises may be repeated without harm (RFC 9110, 9.2.2).
IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

TIMEOUT = b"grpc-timeout"
"""Time left for the whole call, as gRPC writes it on the wire: at most 8 digits and a unit."""

PUSHBACK = b"grpc-retry-pushback-ms"
"""The server's word on retries (gRPC A6): ``-1`` do not, ``n`` safe to, after n milliseconds."""

IDEMPOTENCY_KEY = b"idempotency-key"
JSON = b"application/json"
PROBLEM_JSON = b"application/problem+json"


class Headers(Struct, eq=False):
    """Header fields in the order they came, names in lower case, repeats kept.

    ``raw`` is the list of byte pairs that ASGI servers read and write, and may be appended to;
    text is decoded as Latin-1 when it is asked for, which is what RFC 9110 leaves an honest
    recipient to do.
    """

    raw: RawHeaders = field(default_factory=list)
    _indexed: int = -1
    _first: dict[bytes, bytes] = {}

    @classmethod
    def of(cls, fields: Mapping[str, str] | Iterable[tuple[str, str]]) -> Headers:
        pairs = fields.items() if isinstance(fields, Mapping) else fields
        return cls([(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in pairs])

    def first(self) -> dict[bytes, bytes]:
        """The first value of each field, undecoded, by its name in lower case: for the hot path.
        Not to be changed."""
        if self._indexed != len(self.raw):  # fields are added, or replaced by ``set``
            self._first = dict(reversed(self.raw))
            self._indexed = len(self.raw)
        return self._first

    def find(self, name: bytes) -> bytes | None:
        """The first value of ``name`` (lower case), undecoded."""
        return self.first().get(name)

    def get(self, name: str, default: str | None = None) -> str | None:
        value = self.find(name.lower().encode("latin-1", "replace"))
        return default if value is None else value.decode("latin-1")

    def get_all(self, name: str) -> list[str]:
        key = name.lower().encode("latin-1", "replace")
        return [v.decode("latin-1") for k, v in self.raw if k == key]

    def add(self, name: str, value: str) -> None:
        self.raw.append((name.lower().encode("latin-1"), value.encode("latin-1")))

    def set(self, name: str, value: str) -> None:
        """Replace every field of this name by one."""
        key = name.lower().encode("latin-1")
        self.raw = [pair for pair in self.raw if pair[0] != key]
        self.raw.append((key, value.encode("latin-1")))
        self._indexed = -1

    def without(self, names: frozenset[bytes]) -> Headers:
        return Headers([pair for pair in self.raw if pair[0] not in names])

    def copy(self) -> Headers:
        return Headers(list(self.raw))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for name, value in self.raw:
            yield name.decode("latin-1"), value.decode("latin-1")

    def __contains__(self, name: str) -> bool:
        return self.find(name.lower().encode("latin-1", "replace")) is not None

    def __len__(self) -> int:
        return len(self.raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.raw == other.raw

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"


class Stream:
    """A body that comes in pieces, and tells those who asked when it has ended.

    A filter that holds something for the length of a response (a slot, a timer, a breaker's
    sample) hands it over with ``on_end``; callbacks run once, newest first, whether the body
    was read to its end, failed, or was closed early.

    Args:
        source: yields chunks; its ``aclose``, if it has one, frees what is behind it.
    """

    __slots__ = ("_callbacks", "_close", "_iterator", "read_started")

    def __init__(self, source: AsyncIterable[bytes]) -> None:
        self._iterator: AsyncIterator[bytes] = source.__aiter__()
        self._callbacks: list[Callable[[BaseException | None], object]] = []
        self._close = getattr(source, "aclose", None)
        self.read_started = False

    def on_end(self, callback: Callable[[BaseException | None], object]) -> None:
        """Call ``callback(error)`` at the end; ``error`` is None unless the body failed."""
        self._callbacks.append(callback)

    def wrap(self, around: Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]) -> None:
        """Put ``around`` between what is here and whoever reads from now on."""
        self._iterator = around(self._iterator)

    def watch(self, seen: Callable[[bytes], object]) -> None:
        """Have ``seen`` called with each piece that somebody reads from now on."""

        async def along(source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
            async for chunk in source:
                seen(chunk)
                yield chunk

        self.wrap(along)

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        self.read_started = True
        try:
            return await self._iterator.__anext__()
        except StopAsyncIteration:
            self._end(None)
            raise
        except BaseException as error:
            self._end(error)
            raise

    async def read(self) -> bytes:
        """All that is left, as bytes; the stream is closed whatever happens."""
        try:
            return b"".join([chunk async for chunk in self])
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        try:
            if self._close is not None:
                await self._close()
        finally:
            self._end(None)

    def _end(self, error: BaseException | None) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in reversed(callbacks):
            callback(error)


Body: TypeAlias = bytes | Stream


async def read_all(body: Body) -> bytes:
    """The whole body as bytes, whichever of the two it is."""
    return body if isinstance(body, bytes) else await body.read()


class Request(Struct):
    """One HTTP request.

    Attributes:
        method: upper case.
        path: percent-encoded, as on the wire, beginning with ``/``; without the query.
        query: the raw query string, without ``?``.
        body: bytes, or a ``Stream`` of them.
        route: the name of the operation, for counters (``create_quote``); set by whoever
            knows it, and never derived from user input, so that it stays countable.
        params: what the router cut out of the path, decoded. Empty on the client's side.
        peer: who sent it: the address on a server, the calling app on a client.
    """

    method: str
    path: str
    query: str = ""
    headers: Headers = field(default_factory=Headers)
    body: Body = b""
    route: str = ""
    params: dict[str, str] = field(default_factory=dict)
    peer: str = ""

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does what sending it once does."""
        return self.method in IDEMPOTENT_METHODS or self.headers.find(IDEMPOTENCY_KEY) is not None


class Response(Struct):
    """One HTTP response. ``body`` is bytes, or a ``Stream`` that someone must read or close."""

    status: int
    headers: Headers = field(default_factory=Headers)
    body: Body = b""


_UNITS = {
    b"H": 3600.0,
    b"M": 60.0,
    b"S": 1.0,
    b"m": 1e-3,
    b"u": 1e-6,
    b"n": 1e-9,
}


def parse_timeout(value: bytes) -> float | None:
    """Seconds from a ``grpc-timeout`` value; None where it is not one (gRPC over HTTP2 spec)."""
    digits, unit = value[:-1], _UNITS.get(value[-1:])
    if unit is None or not digits.isdigit() or len(digits) > 8:
        return None
    return int(digits) * unit


def format_timeout(seconds: float) -> bytes:
    """A ``grpc-timeout`` value, rounded down, in the finest unit that fits in 8 digits."""
    if seconds <= 0:
        return b"0n"
    if seconds < 99.0:
        return b"%du" % int(seconds * 1e6)
    if seconds < 99_999.0:
        return b"%dm" % int(seconds * 1e3)
    return b"%dS" % min(int(seconds), 99_999_999)
