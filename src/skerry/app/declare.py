"""What a decorator writes down: an endpoint as it was declared, before anything is worked out.

Binding waits until the app starts, because a resource may be registered below the function
that uses it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, Unpack, get_args

from skerry.core.errors import ConfigError, Problem

from .binding import caller_locals, place
from .router import split_template

F = TypeVar("F", bound=Callable[..., Any])

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")
"""What OpenAPI 3.1 has a word for (Path Item Object)."""

Idempotent: TypeAlias = Literal["required", "accepted"]
"""Whether an ``Idempotency-Key`` must be sent, or may be."""

_KEYED = ("POST", "PUT", "PATCH", "DELETE")


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
    idempotent: Idempotent | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One endpoint as its decorator was told.

    Attributes:
        status: of a good answer; None for 200, or 204 where the function returns None.
        timeout: seconds the function may take; None for the app's default.
        media_type: of an answer that is not typed: ``text/html``.
        idempotent: whether it follows ``Idempotency-Key``, and must be given one.
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
    idempotent: Idempotent | None
    local: dict[str, Any] | None

    @property
    def operation_path(self) -> str:
        """The path as the contract has it."""
        return self.path.replace(":path}", "}")

    def __str__(self) -> str:
        return f"{self.method} {self.path}, {place(self.function)}"


class Routes:
    """Endpoints that belong together, to be included in an app, or in another group.

    Args:
        prefix: put before every path.
        tags: added to every endpoint, for the contract.
    """

    def __init__(self, prefix: str = "", *, tags: Sequence[str] = ()) -> None:
        self.prefix = _checked(prefix)
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
        idempotent: Idempotent | None = None,
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
            idempotent: do once, and answer the same each time, what is asked for with one
                ``Idempotency-Key``: one is ``"required"``, or ``"accepted"``. The app has a
                ``Database`` to remember it in.
        """

        def declare(function: F) -> F:
            if isinstance(function, type | partial) or not hasattr(function, "__name__"):
                raise ConfigError(
                    f"{method} {path}: an endpoint is a function or a method, not {function!r}; "
                    "write a function that calls it"
                )
            declared = Declaration(
                function=function,
                method=method.upper(),
                path=path,
                name=name or function.__name__,
                status=status,
                problems=_problems(raises, f"{method} {path}, {place(function)}"),
                summary=summary,
                tags=tuple(tags),
                deprecated=deprecated,
                hidden=hidden,
                timeout=timeout,
                media_type=media_type,
                idempotent=idempotent,
                local=caller_locals(function),
            )
            self._add([declared])
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
        """Add the endpoints that ``routes`` has now, under ``prefix``.

        Raises:
            ConfigError: the prefix is not one, or makes a path of theirs none.
        """
        self._add(routes.declarations, _checked(prefix))

    def _add(self, declarations: Iterable[Declaration], prefix: str = "") -> None:
        prefix = self.prefix + prefix
        added = [
            replace(
                declared,
                path=prefix if prefix and declared.path == "/" else prefix + declared.path,
                tags=(*self.tags, *declared.tags),
            )
            for declared in declarations
        ]
        for declared in added:
            _check(declared)
        self.declarations.extend(added)


def _checked(prefix: str) -> str:
    if prefix:
        if prefix.endswith("/"):
            raise ConfigError(f"a prefix does not end with '/': {prefix!r}")
        split_template(prefix)
    return prefix


def _problems(raises: Any, where: str) -> tuple[type[Problem], ...]:
    if isinstance(raises, type):
        raise ConfigError(f"{where}: raises= takes a list: raises=[{raises.__name__}]")
    for problem in raises:
        if not isinstance(problem, type) or not issubclass(problem, Problem):
            raise ConfigError(f"{where}: raises= takes Problem classes, not {problem!r}")
    return tuple(raises)


@contextmanager
def concerning(declared: Declaration) -> Iterator[None]:
    """What goes wrong in the block says which endpoint it is about."""
    try:
        yield
    except ConfigError as error:
        where = "" if place(declared.function) in str(error) else f", {place(declared.function)}"
        raise ConfigError(f"{declared.method} {declared.path}{where}: {error}") from error


def _check(declared: Declaration) -> None:
    """Refuse what is wrong with one endpoint alone."""
    with concerning(declared):
        split_template(declared.path)
    if declared.method not in METHODS:
        raise ConfigError(f"{declared}: the methods are {', '.join(METHODS)}")
    if declared.status is not None and not 200 <= declared.status <= 399:
        raise ConfigError(f"{declared}: a good answer has status 200 to 399, not {declared.status}")

    if declared.idempotent is None:
        return
    if declared.idempotent not in get_args(Idempotent):
        choice = " or ".join(map(repr, get_args(Idempotent)))
        raise ConfigError(f"{declared}: idempotent is {choice}, not {declared.idempotent!r}")
    if declared.method not in _KEYED:
        raise ConfigError(
            f"{declared}: {declared.method} changes nothing, so that there is nothing to do "
            "once; idempotent is for POST, PUT, PATCH and DELETE"
        )


def check_together(declarations: Iterable[Declaration]) -> None:
    """Refuse endpoints that each are right and together are not.

    Raises:
        ConfigError: two have one route or one name; or the contract, where the name of a path's
            parameter tells nothing apart, would have two of them in one place.
    """
    seen: dict[tuple[str, ...], Declaration] = {}

    def earlier(declared: Declaration, *key: str) -> Declaration | None:
        other = seen.setdefault(key, declared)
        return None if other is declared else other

    for declared in declarations:
        shape = re.sub(r"\{\w+", "{", declared.path)
        if other := earlier(declared, "route", declared.method, shape):
            raise ConfigError(f"declared twice: {other} and {declared}")
        if other := earlier(declared, "name", declared.name):
            raise ConfigError(
                f"two operations are named {declared.name!r}: {other} and {declared}; "
                "give one a name="
            )
        if declared.hidden:
            continue
        shape = shape.replace(":path", "")
        other = earlier(declared, "path", shape)
        if other is not None and other.operation_path != declared.operation_path:
            raise ConfigError(
                f"one path with two spellings: {other} and {declared}; give their parameters the "
                "same names, or keep one out of the contract by hidden=True"
            )
        if other := earlier(declared, "operation", declared.method, shape):
            raise ConfigError(
                f"one operation in the contract: {other} and {declared}; "
                "keep one out of it by hidden=True"
            )
