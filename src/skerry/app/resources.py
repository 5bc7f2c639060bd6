"""Resources: what an app opens, hands to its functions by type, and closes again.

A resource is a function that yields a value (or returns one). Its scope is the instance, opened
before the first request and closed after the last, or the request: a transaction, say, which
sees the function's exception and can roll back (``scope`` opens those).
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Literal, get_args, get_origin

from skerry.core.errors import ConfigError, Error
from skerry.core.wire import Request

from .binding import hints_of, place, strip

Scope = Literal["instance", "request"]
Health = Callable[[Any], Any]


class Resource:
    """A declared resource; what ``@app.resource`` returns.

    Attributes:
        type: what its function yields: the type by which it is injected.
        needs: its function's own arguments, by name: other resources, settings, clients.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        scope: Scope,
        health: Health | None,
        local: dict[str, Any] | None,
    ) -> None:
        self.function = function
        self.scope: Scope = scope
        self._health = health
        hints = hints_of(function, local)
        self.type: Any = strip(_yielded(function, hints.pop("return", None)))
        self.needs: dict[str, Any] = {name: strip(hint) for name, hint in hints.items()}

    @property
    def name(self) -> str:
        return str(self.function.__name__)

    def health(self, check: Health) -> Health:
        """Decorator: ``check(value)`` raises, or returns False, when the resource is unwell."""
        self._health = check
        return check

    async def open(self, stack: AsyncExitStack, arguments: Mapping[str, Any]) -> Any:
        """Run the function up to its ``yield``, at start; the rest runs when ``stack`` closes."""
        function = self.function
        if inspect.isasyncgenfunction(function):
            return await stack.enter_async_context(asynccontextmanager(function)(**arguments))
        if inspect.isgeneratorfunction(function):
            return stack.enter_context(contextmanager(function)(**arguments))
        value = function(**arguments)
        return await value if inspect.isawaitable(value) else value

    async def check(self, value: Any, seconds: float) -> str | None:
        """What is wrong with an open resource; None if nothing is."""
        if self._health is None:
            return None
        try:
            async with asyncio.timeout(seconds):
                if inspect.iscoroutinefunction(self._health):
                    verdict = await self._health(value)
                else:
                    verdict = await asyncio.to_thread(self._health, value)
        except TimeoutError:
            return f"no answer within {seconds:g} s"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return "its check said no" if verdict is False else None


class Container:
    """The resources of one app, and the values of those that are open.

    Args:
        make: builds what is no resource (settings, clients); None for a type it does not know.
        overrides: values to use in place of resources, by type. For tests.
    """

    def __init__(
        self,
        resources: Mapping[Any, Resource],
        make: Callable[[Any], Any],
        overrides: Mapping[Any, Any],
    ) -> None:
        self._resources = resources
        self._make = make
        self.values: dict[Any, Any] = dict(overrides)
        self._overridden = frozenset(overrides)
        self._stack = AsyncExitStack()
        self._checked: tuple[float, dict[str, str | None]] = (0.0, {})

    async def open(self) -> None:
        """Open every resource of the instance, each after what it needs."""
        try:
            for resource in self._resources.values():
                if resource.scope == "instance":
                    await self._value(resource.type)
        except BaseException:
            await self._stack.aclose()
            raise

    async def close(self) -> None:
        await self._stack.aclose()

    async def _value(self, kind: Any) -> Any:
        if kind in self.values:
            return self.values[kind]
        resource = self._resources.get(kind)
        if resource is None:
            self.values[kind] = value = self._make(kind)
            return value
        arguments = {name: await self._value(need) for name, need in resource.needs.items()}
        try:
            value = await resource.open(self._stack, arguments)
        except Error:
            raise
        except Exception as error:
            raise ConfigError(
                f"resource {resource.name!r} did not open: {type(error).__name__}: {error}"
            ) from error
        self.values[kind] = value
        return value

    def instance_value(self, kind: Any) -> Any:
        """The value of an instance-scoped type, a client or settings; made when first asked."""
        if kind not in self.values:
            self.values[kind] = self._make(kind)
        return self.values[kind]

    def is_request_scoped(self, kind: Any) -> bool:
        resource = self._resources.get(kind)
        return resource is not None and resource.scope == "request" and kind not in self._overridden

    def resource(self, kind: Any) -> Resource:
        return self._resources[kind]

    async def health(self, seconds: float = 2.0, fresh_for: float = 1.0) -> dict[str, str | None]:
        """What is wrong with each resource that has a check, asked at most once a second."""
        at, result = self._checked
        if result and time.monotonic() - at < fresh_for:
            return result
        checked = [
            (resource, self.values[kind])
            for kind, resource in self._resources.items()
            if resource._health is not None and kind in self.values
        ]
        verdicts = await asyncio.gather(*(r.check(value, seconds) for r, value in checked))
        result = {r.name: verdict for (r, _), verdict in zip(checked, verdicts, strict=True)}
        self._checked = (time.monotonic(), result)
        return result


def validate(resources: Mapping[Any, Resource], known: Callable[[Any], bool]) -> None:
    """Check at start what opening them would stumble over later.

    Raises:
        ConfigError: a resource needs something nobody provides, or lives longer than its need,
            or some need each other.
    """
    for resource in resources.values():
        for name, need in resource.needs.items():
            where = f"{place(resource.function)}: {name!r}"
            other = resources.get(need)
            if need is not Request and other is None and not known(need):
                raise ConfigError(f"{where}: nothing provides {need!r}; register it as a resource")
            short = need is Request or (other is not None and other.scope == "request")
            if short and resource.scope == "instance":
                raise ConfigError(
                    f"{where} lives as long as a request, {resource.name!r} as long as the instance"
                )
    for resource in resources.values():
        _refuse_circle(resource, resources, ())


def _refuse_circle(
    resource: Resource, resources: Mapping[Any, Resource], path: tuple[Resource, ...]
) -> None:
    if resource in path:
        circle = " → ".join(each.name for each in (*path, resource))
        raise ConfigError(f"resources need each other: {circle}")
    for need in resource.needs.values():
        if need in resources:
            _refuse_circle(resources[need], resources, (*path, resource))


def _yielded(function: Callable[..., Any], hint: Any) -> Any:
    if hint is None:
        raise ConfigError(f"{place(function)}: a resource needs a return annotation: its type")
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        if get_origin(hint) is None or not get_args(hint):
            raise ConfigError(
                f"{place(function)}: annotate it as AsyncIterator[T] or Iterator[T], not {hint!r}"
            )
        return get_args(hint)[0]
    return hint
