"""One running copy of an app, as whoever calls it sees it."""

from __future__ import annotations

from collections.abc import Awaitable
from enum import Enum
from typing import Protocol, TypeVar

from msgspec import Struct

_Req_contra = TypeVar("_Req_contra", contravariant=True)
_Res_co = TypeVar("_Res_co", covariant=True)


class Status(Enum):
    """Whether calling is worth it, best first; a balancer prefers the lower value."""

    OPEN = 0
    BUSY = 1
    CLOSED = 2


class Address(Struct, frozen=True, order=True, omit_defaults=True):
    """Where an instance listens.

    Attributes:
        url: scheme, host and port, no path: ``http://127.0.0.1:8001``; or ``local:NAME`` for
            an app in this very process.
        id: which instance it is, for people: ``quotes-2``. Not part of its identity.
        outside: whether it is somebody else's, who has no business with our context.
    """

    url: str
    id: str = ""
    outside: bool = False


class Instance(Protocol[_Req_contra, _Res_co]):
    """A service with a state: what a balancer chooses between."""

    @property
    def address(self) -> Address: ...

    @property
    def status(self) -> Status: ...

    @property
    def load(self) -> float:
        """How long the next call will take, in whatever unit; less is better."""

    def __call__(self, request: _Req_contra, /) -> Awaitable[_Res_co]: ...

    async def close(self) -> None: ...
