"""What a decorator writes down: an endpoint as it was declared, before anything is worked out.

Binding waits until the app starts, because a resource may be registered below the function
that uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict, TypeVar, Unpack

from skerry.core.errors import ConfigError, Problem

from .binding import caller_locals
from .router import split_template

F = TypeVar("F", bound=Callable[..., Any])


class Options(TypedDict, total=False):
    """What every decorator takes; explained at ``Routes.endpoint``."""

    status: int | None
    raises: Sequence[type[Problem]]
    name: str
    summary: str
    tags: Sequence[str]
    deprecated: bool
    hidden: bool
    timeout: float | None
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One endpoint as its decorator was told.

    Attributes:
        status: of a good answer; None for 200, or 204 where the function returns None.
        timeout: seconds the function may take; None for the app's default.
        media_type: of an answer that is not typed: ``text/html``.
    """

    function: Callable[..., Any]
    method: str
    path: str
    name: str
    status: int | None
    problems: tuple[type[Problem], ...]
    summary: str
    tags: tuple[str, ...]
    deprecated: bool
    hidden: bool
    timeout: float | None
    media_type: str
    local: dict[str, Any] | None


class Routes:
    """Endpoints that belong together, to be included in an app, or in another group.

    Args:
        prefix: put before every path.
        tags: added to every endpoint, for the contract.
    """

    def __init__(self, prefix: str = "", *, tags: Sequence[str] = ()) -> None:
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise ConfigError(f"a prefix begins with '/' and does not end with it: {prefix!r}")
        self.prefix = prefix
        self.tags = tuple(tags)
        self.declarations: list[Declaration] = []

    def endpoint(
        self,
        method: str,
        path: str,
        *,
        status: int | None = None,
        raises: Sequence[type[Problem]] = (),
        name: str = "",
        summary: str = "",
        tags: Sequence[str] = (),
        deprecated: bool = False,
        hidden: bool = False,
        timeout: float | None = None,
        media_type: str = "",
    ) -> Callable[[F], F]:
        """Declare the decorated function as the endpoint ``method path``.

        Args:
            path: ``/schools/{school_id}``; the last segment may be ``{rest:path}``.
            status: of a good answer; by default 200, or 204 where the function returns None.
            raises: the problems it may answer with; they are part of the contract.
            name: the operation's name; by default the function's.
            summary: one line; by default the docstring's first.
            hidden: leave it out of the contract.
            timeout: seconds it may take; by default the app's.
            media_type: of what it returns as a ready response: ``text/html``.
        """
        split_template(path)
        if status is not None and not 200 <= status <= 399:
            raise ConfigError(f"{method} {path}: a good answer has status 200 to 399, not {status}")
        for problem in raises:
            if not issubclass(problem, Problem):
                raise ConfigError(
                    f"{method} {path}: raises= takes Problem classes, not {problem!r}"
                )

        def declare(function: F) -> F:
            self.declarations.append(
                Declaration(
                    function=function,
                    method=method.upper(),
                    path=self.prefix + path if path != "/" or not self.prefix else self.prefix,
                    name=name or function.__name__,
                    status=status,
                    problems=tuple(raises),
                    summary=summary,
                    tags=(*self.tags, *tags),
                    deprecated=deprecated,
                    hidden=hidden,
                    timeout=timeout,
                    media_type=media_type,
                    local=caller_locals(function),
                )
            )
            return function

        return declare

    def get(self, path: str, **options: Unpack[Options]) -> Callable[[F], F]:
        """``endpoint("GET", ...)``; answers HEAD as well."""
        return self.endpoint("GET", path, **options)

    def post(self, path: str, **options: Unpack[Options]) -> Callable[[F], F]:
        """``endpoint("POST", ...)``."""
        return self.endpoint("POST", path, **options)

    def put(self, path: str, **options: Unpack[Options]) -> Callable[[F], F]:
        """``endpoint("PUT", ...)``."""
        return self.endpoint("PUT", path, **options)

    def patch(self, path: str, **options: Unpack[Options]) -> Callable[[F], F]:
        """``endpoint("PATCH", ...)``."""
        return self.endpoint("PATCH", path, **options)

    def delete(self, path: str, **options: Unpack[Options]) -> Callable[[F], F]:
        """``endpoint("DELETE", ...)``."""
        return self.endpoint("DELETE", path, **options)

    def include(self, routes: Routes, prefix: str = "") -> None:
        """Add the endpoints that ``routes`` has now, under ``prefix``."""
        self.declarations.extend(
            replace(
                declaration,
                path=self.prefix + prefix + declaration.path,
                tags=(*self.tags, *declaration.tags),
            )
            for declaration in routes.declarations
        )
