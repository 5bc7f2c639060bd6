"""``@journey``: what a journey is, before anybody runs it."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any, overload

from skerry.bus.schedule import every as interval
from skerry.core.errors import ConfigError

from .arguments import Need, caller_locals, needs_of, place_of

WITHIN = 30.0
"""Seconds a run may take whose journey does not say."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")

Body = Callable[..., Awaitable[None]]


class Journey:
    """An acceptance test across apps; what ``@journey`` makes of a function.

    Called, it calls the function: with clients of one's own, in a test of the journey.

    Attributes:
        name: the function's, unless it was given another.
        every: seconds between the probe's runs; None for never.
        within: seconds after which a run has failed.
        owner: who is told.
        summary: the first line of the docstring.
        file, line: where the function is.
    """

    def __init__(
        self, function: Body, name: str, every: str | None, within: float, owner: str
    ) -> None:
        self.function = function
        self.name = name or function.__name__
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"a journey's name is letters, digits, '_', '-' and '.', at most 100, a letter "
                f"first: {self.name!r} is not"
            )
        self.every = None if every is None else interval(every).seconds
        self.within = within
        self.owner = owner
        self.summary = (inspect.getdoc(function) or "").partition("\n")[0]
        self.file = function.__code__.co_filename
        self.line: int = function.__code__.co_firstlineno
        self.place = place_of(function)
        self._local = caller_locals(function)

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """Its arguments, and what each is.

        Raises:
            ConfigError: one has no annotation, or one that nothing here provides.
        """
        return needs_of(self.function, self._local)

    def __call__(self, *args: Any, **kwargs: Any) -> Awaitable[None]:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<journey {self.name}: {self.place}>"


@overload
def journey(function: Body, /) -> Journey: ...
@overload
def journey(
    function: None = None,
    /,
    *,
    name: str = "",
    every: str | None = None,
    within: float = WITHIN,
    owner: str = "",
) -> Callable[[Body], Journey]: ...
def journey(
    function: Body | None = None,
    /,
    *,
    name: str = "",
    every: str | None = None,
    within: float = WITHIN,
    owner: str = "",
) -> Any:
    """Declare the decorated ``async def`` as a journey. What it asks for it gets by type:

    - a generated client, of the app it is a client of; ``DynamicClient``, of the app that the
      argument is named after, or ``Annotated[DynamicClient, "other-app"]``;
    - ``Http``, a client of the front door; ``Annotated[Http, "portal"]``, of one app;
    - ``Page``, ``BrowserContext`` or ``Browser`` of Playwright;
    - ``Run``: the run itself, with an id that no other run has;
    - a Struct or a dataclass: settings, each field an environment variable;
      ``Annotated[Payer, "PAYER_"]`` puts something before their names.

    Args:
        name: by default the function's.
        every: how often the probe runs it, as ``30s`` or ``5m``; None for not at all.
        within: seconds after which a run has failed.
        owner: who is told: an app or a team, an e-mail address.

    Raises:
        ConfigError: it is no ``async def``; a time is none; its name is none.
    """

    def declare(function: Body) -> Journey:
        if not inspect.iscoroutinefunction(function):
            raise ConfigError(f"{place_of(function)}: a journey is an async def")
        if not 0 < within < math.inf:
            raise ConfigError(f"{place_of(function)}: within is in seconds, above 0: {within!r}")
        try:
            return Journey(function, name, every, within, owner)
        except ConfigError as error:
            raise ConfigError(f"{place_of(function)}: {error}") from None

    return declare if function is None else declare(function)
