"""Words for ``Annotated[...]`` that say where an argument comes from, when its type does not.

::

    async def search(
        q: str,                                           # query, by its type
        tenant: Annotated[str, Header("x-tenant")],       # a header
        session: Annotated[str | None, Cookie()] = None,  # a cookie, None without it
        tags: Annotated[list[str], Query("tag")] = [],    # ?tag=a&tag=b
    ) -> Page: ...
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Marker:
    """Where an argument comes from.

    Attributes:
        name: its name on the wire; by default the argument's own (``_`` becomes ``-`` in
            headers).
        description: for the contract.
    """

    name: str = ""
    description: str = ""


class Path(Marker):
    """A part of the path: ``/schools/{id}``."""


class Query(Marker):
    """A query parameter; a list takes every repeat."""


class Header(Marker):
    """A header field."""


class Cookie(Marker):
    """A cookie."""


@dataclass(frozen=True, slots=True)
class Body(Marker):
    """The request's body.

    Attributes:
        media_type: what the body must be; by default what its type calls for: JSON, NDJSON for
            an async iterator, any bytes for ``bytes``.
        strict: refuse fields the type does not have, instead of ignoring and counting them.
        limit: the largest body in bytes; by default the app's.
    """

    media_type: str = ""
    strict: bool = False
    limit: int | None = None
