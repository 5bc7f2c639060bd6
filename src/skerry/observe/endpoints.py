"""Endpoints as Zipkin understands them: names in lower case, addresses that are addresses."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from .ids import Malformed
from .model import Endpoint


@lru_cache(maxsize=10_000)  # a fleet has few endpoints, and every span has two
def normal(endpoint: Endpoint) -> Endpoint | None:
    """``endpoint`` with what Zipkin would keep of it; None where that is nothing.

    Raises:
        Malformed: the port is not one.
    """
    return made(endpoint.service_name, (endpoint.ipv4, endpoint.ipv6), endpoint.port)


def made(service: str | None, addresses: tuple[str | None, ...], port: int) -> Endpoint | None:
    """An endpoint of a name, addresses of either family, and a port; None of nothing.

    Raises:
        Malformed: the port is above 65535.
    """
    if port > 0xFFFF:
        raise Malformed(f"invalid port {port}")
    ipv4 = ipv6 = None
    for text in addresses:
        if text:
            four, six = _parsed(text)
            ipv4, ipv6 = four or ipv4, six or ipv6
    found = Endpoint(service.lower() if service else None, ipv4, ipv6, max(port, 0))
    return found if found != _NOTHING else None


_NOTHING = Endpoint()


def address(raw: bytes) -> str | None:
    """Four or sixteen bytes as text; None of any other number of them."""
    if len(raw) == 4:
        return str(IPv4Address(raw))
    return str(IPv6Address(raw)) if len(raw) == 16 else None


def _parsed(text: str) -> tuple[str | None, str | None]:
    """``text`` as an IPv4 or as an IPv6 address, or as neither."""
    try:
        return str(IPv4Address(text)), None
    except AddressValueError:
        pass
    try:
        six = IPv6Address(text)
    except AddressValueError:
        return None, None
    if "%" in text:
        return None, None
    if six.ipv4_mapped is not None:
        return str(six.ipv4_mapped), None
    value = int(six)
    if 1 < value <= 0xFFFFFFFF:  # IPv4-compatible; 1 is the loopback address
        return str(IPv4Address(value)), None
    return None, six.compressed if value else "::"
