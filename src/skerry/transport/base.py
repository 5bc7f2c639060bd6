"""What every transport is, and what all of them agree on.

A transport makes a service out of an address. The service sends one request and either returns
the response, whatever its status, or raises one of two errors, which are told apart strictly:

- ``ConnectError``: nothing was sent. Safe to repeat, whatever the request was.
- ``ConnectionLost``: something was sent and no whole answer came. Nobody knows whether it was
  done.

Cancelling the task that waits for it ends the exchange: the other side sees the connection go.
Nothing is followed, stored or decoded on the way: no redirects, no cookies, no proxies from the
environment, and bodies stay encoded as they came, so that headers and body agree.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from skerry.core.errors import ConfigError, ConnectError, Retry
from skerry.core.instance import Address
from skerry.core.service import Service
from skerry.core.wire import Headers, Request, Response

WHOLE = 1 << 20
"""Bytes: a response of known length up to this comes as ``bytes``, any other as a ``Stream``."""

CONNECTION_FIELDS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"}
)
"""Header fields that belong to a connection and are its own to send (RFC 9110, 7.6.1); in a
request they are dropped."""

_ENDLESS = (b"text/event-stream", b"application/x-ndjson")


class Transport(Protocol):
    """A way to reach addresses. Made anywhere, used from any number of event loops."""

    def connect(self, address: Address, /) -> Service[Request, Response]:
        """The service at ``address``. Nothing is opened before the first request."""

    async def close(self) -> None:
        """Refuse new requests, let those in flight end within ``drain_timeout``, then cut."""


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """How connections are made and kept.

    Attributes:
        connect_timeout: seconds for name, TCP and TLS together.
        pool_size: connections to one address, per event loop; a request that finds all of them
            busy waits its turn.
        idle_timeout: seconds an unused connection is kept. Shorter than the 5 s after which
            uvicorn hangs up, so that we are the side that closes.
        drain_timeout: seconds that ``close`` gives requests in flight.
        ca_file: PEM file of the authorities to trust instead of the system's.
        client_cert: PEM file of our own certificate, for servers that ask for one.
        client_key: PEM file of its key, where that is not in ``client_cert``.
        verify: False accepts any certificate; for tests alone.
    """

    connect_timeout: float = 2.0
    pool_size: int = 256
    idle_timeout: float = 4.0
    drain_timeout: float = 10.0
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    verify: bool = True


DEFAULTS = TransportSettings()


class Endpoint(NamedTuple):
    """An address taken apart.

    Attributes:
        host: a name or an IP literal, without brackets.
        authority: what the ``Host`` header says.
    """

    secure: bool
    host: str
    port: int
    authority: str

    @classmethod
    def of(cls, address: Address) -> Endpoint:
        """Take ``http://host:port`` apart.

        Raises:
            ConfigError: it is anything else.
        """
        url = address.url
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"{url!r} is not an address: {error}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{url!r} is not an address: http://HOST:PORT or https://HOST:PORT")
        if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
            raise ConfigError(f"{url!r} is not an address: it has more than scheme, host and port")
        secure = parts.scheme == "https"
        return cls(secure, parts.hostname, port or (443 if secure else 80), parts.netloc)


def tls_context(settings: TransportSettings) -> ssl.SSLContext:
    """The TLS client context that ``settings`` ask for.

    Raises:
        ConfigError: a file is missing, or is not what it should be.
    """
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.client_cert is not None:
            context.load_cert_chain(settings.client_cert, settings.client_key)
    except (OSError, ssl.SSLError) as error:
        files = settings.ca_file, settings.client_cert, settings.client_key
        named = ", ".join(name for name in files if name)
        raise ConfigError(f"TLS files {named}: {error}") from error
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def comes_whole(length: int | None, content_type: bytes | None) -> bool:
    """Whether a response body is collected to ``bytes`` rather than handed on as a ``Stream``.

    Args:
        length: its ``content-length``; None where that is not known beforehand.
        content_type: as in the header.
    """
    if length is None or length > WHOLE:
        return False
    return content_type is None or not content_type.lower().startswith(_ENDLESS)


def content_length(headers: Headers) -> int | None:
    """How long the body of a response is going to be, where its headers say so."""
    if headers.find(b"transfer-encoding") is not None:
        return None
    value = headers.find(b"content-length")
    return int(value) if value is not None and value.isdigit() else None


def closed(authority: str) -> ConnectError:
    """The error of a request that comes after ``close``; trying again here is of no use."""
    return ConnectError(f"not sent to {authority}: the transport is closed", retry=Retry.NEVER)
