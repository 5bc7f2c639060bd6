"""The two types everything else is made of.

After Marius Eriksen, *Your Server as a Function* (PLOS 2013): a client, a server, a proxy and
a test double are all functions from a request to a response, so one filter serves them all.
"""

from __future__ import annotations

from collections.abc import Awaitable
from types import FunctionType
from typing import Any, Protocol, TypeVar

Req = TypeVar("Req")
Res = TypeVar("Res")
_Req_contra = TypeVar("_Req_contra", contravariant=True)
_Res_co = TypeVar("_Res_co", covariant=True)


class Service(Protocol[_Req_contra, _Res_co]):
    """A function from a request to a response, later.

    It either returns a response or raises; it may be called concurrently.
    """

    def __call__(self, request: _Req_contra, /) -> Awaitable[_Res_co]: ...


class Filter(Protocol[Req, Res]):
    """A function around a service: it may call it never, once, or many times."""

    def __call__(self, request: Req, service: Service[Req, Res], /) -> Awaitable[Res]: ...


def apply(filter: Filter[Req, Res], service: Service[Req, Res]) -> Service[Req, Res]:
    """The service that is ``service`` seen through ``filter``.

    A plain function, not a coroutine: each filter costs one coroutine, its own, and no other.
    """
    through: Filter[Req, Res] = direct(filter)
    below: Service[Req, Res] = direct(service)

    def filtered(request: Req, /) -> Awaitable[Res]:
        return through(request, below)

    return filtered


def direct(callable: Any) -> Any:
    """What calling ``callable`` calls: CPython makes a detour for objects with a ``__call__``."""
    return callable if isinstance(callable, FunctionType) else callable.__call__
