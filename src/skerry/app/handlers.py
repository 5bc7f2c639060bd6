"""Handlers of events and scheduled functions: declared like endpoints, fed by the bus."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypedDict, TypeVar, Unpack, get_args

from skerry.bus.attempt import Attempt, GivenUp
from skerry.bus.consumer import HandlerSettings, Retries
from skerry.bus.driver import Subscription
from skerry.bus.event import EventType, event_type
from skerry.bus.schedule import Schedule, Times, cron, every
from skerry.core.errors import ConfigError
from skerry.core.service import Service
from skerry.core.wire import Request
from skerry.stack.consumer import consumer_stack
from skerry.stack.rows import Row, rows
from skerry.telemetry.metrics import Metrics

from .binding import caller_locals, hints_of, is_plain, is_session, place, strip
from .resources import Container
from .scope import Scope
from .threads import Threads

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerDeclaration:
    """One handler as its decorator was told.

    Attributes:
        events: what it hears.
        schedule: what makes it run, for a scheduled function.
        permanent: exceptions that more attempts would not help.
    """

    function: Callable[..., Any]
    name: str
    events: tuple[EventType, ...]
    settings: HandlerSettings
    ordered: bool
    permanent: tuple[type[Exception], ...]
    schedule: Schedule | None
    local: dict[str, Any] | None


class Feeding(TypedDict, total=False):
    """How handlers and scheduled functions are fed; explained at ``HandlerSettings``."""

    concurrency: int
    prefetch: int | None
    lease: float
    retries: Retries


class Handlers:
    """What an app handles and publishes, as it was declared."""

    name: str

    def __init__(self) -> None:
        self.handlers: list[HandlerDeclaration] = []
        self.published: list[EventType] = []

    def on(
        self,
        *events: type[Any],
        name: str = "",
        ordered: bool = True,
        permanent: Sequence[type[Exception]] = (),
        **feeding: Unpack[Feeding],
    ) -> Callable[[F], F]:
        """Declare the decorated function as a handler of ``events``.

        It asks for the event by its type, and for resources and clients like an endpoint; for an
        ``Attempt`` to know more of the event; and a plain ``def`` for a SQLAlchemy ``Session``,
        to run in the one transaction in which the event is done.

        Args:
            events: classes declared with ``@event``; several versions of one, say.
            name: of its queue, for good; by default the function's.
            ordered: events with equal keys one after the other.
            permanent: exceptions after which an event goes to the dead letters at once.

        Raises:
            ConfigError: one of ``events`` is no event.
        """
        if not events:
            raise ConfigError(f"{self.name}: on() takes the events that are handled")
        kinds = tuple(event_type(kind) for kind in events)

        def declare(function: F) -> F:
            called = name or function.__name__
            self._handler(function, called, kinds, ordered, permanent, feeding, None)
            return function

        return declare

    def every(
        self,
        interval: str,
        *,
        name: str = "",
        permanent: Sequence[type[Exception]] = (),
        **feeding: Unpack[Feeding],
    ) -> Callable[[F], F]:
        """Run the decorated function every ``30s``, ``10m`` or ``1h30m``, once in the fleet.

        The moments are multiples of the interval. It may ask for a ``Tick``, and for what
        handlers may ask for.

        Raises:
            ConfigError: the interval is none.
        """
        return self._scheduled(every(interval), interval, name, permanent, feeding)

    def cron(
        self,
        expression: str,
        *,
        zone: str = "UTC",
        name: str = "",
        permanent: Sequence[type[Exception]] = (),
        **feeding: Unpack[Feeding],
    ) -> Callable[[F], F]:
        """Run the decorated function by a crontab line, ``0 3 * * *``, once in the fleet.

        Raises:
            ConfigError: it is no such line, or there is no such time zone.
        """
        text = f"{expression} {zone}"
        return self._scheduled(cron(expression, zone), text, name, permanent, feeding)

    def _scheduled(
        self,
        times: Times,
        text: str,
        name: str,
        permanent: Sequence[type[Exception]],
        feeding: Feeding,
    ) -> Callable[[F], F]:
        def declare(function: F) -> F:
            plan = Schedule(self.name, name or function.__name__, times, text)
            one_at_a_time: Feeding = {"concurrency": 1, **feeding}
            kinds = (plan.event,)
            self._handler(function, plan.name, kinds, False, permanent, one_at_a_time, plan)
            return function

        return declare

    def _handler(
        self,
        function: Callable[..., Any],
        name: str,
        events: tuple[EventType, ...],
        ordered: bool,
        permanent: Sequence[type[Exception]],
        feeding: Feeding,
        schedule: Schedule | None,
    ) -> None:
        if any(other.name == name for other in self.handlers):
            raise ConfigError(f"{self.name}: two handlers are named {name!r}; give one a name=")
        declared = HandlerDeclaration(
            function=function,
            name=name,
            events=events,
            settings=HandlerSettings(**feeding),
            ordered=ordered,
            permanent=tuple(permanent),
            schedule=schedule,
            local=caller_locals(function),
        )
        self.handlers.append(declared)

    def publishes(self, *events: type[Any]) -> None:
        """Say which events this app publishes: they are part of its contract."""
        self.published += [event_type(kind) for kind in events]


class Handler:
    """A declaration whose types have been worked out.

    Args:
        app: whose it is.
        injectable: whether a type is registered with the app.

    Raises:
        ConfigError: an argument is none that a handler can be given.
    """

    def __init__(
        self, app: str, declaration: HandlerDeclaration, injectable: Callable[[Any], bool]
    ) -> None:
        self.declaration = declaration
        self.subscription = Subscription(
            f"{app}.{declaration.name}",
            tuple(dict.fromkeys(kind.topic for kind in declaration.events)),
            declaration.ordered and any(kind.key for kind in declaration.events),
            declaration.settings.lease,
        )
        self.kinds: dict[str, dict[int, EventType]] = {}
        for kind in declaration.events:
            self.kinds.setdefault(kind.topic, {})[kind.version] = kind
        self.injected: dict[str, Any] = {}
        self._event = ""
        self._attempt = ""
        self._session = ""
        self._bind(injectable)

    def _bind(self, injectable: Callable[[Any], bool]) -> None:
        function = self.declaration.function
        hints = hints_of(function, self.declaration.local)
        types = {kind.type for kind in self.declaration.events}
        for parameter in inspect.signature(function).parameters.values():
            where = f"{place(function)}: {parameter.name!r}"
            if parameter.name not in hints:
                raise ConfigError(f"{where} needs an annotation")
            hint = strip(hints[parameter.name])
            if types.issuperset(get_args(hint) or {hint}):
                if self._event:
                    raise ConfigError(f"{where} and {self._event!r} would both be the event")
                if missing := types - set(get_args(hint) or {hint}):
                    names = ", ".join(sorted(kind.__name__ for kind in missing))
                    raise ConfigError(f"{where} does not take {names}, which it is declared on")
                self._event = parameter.name
            elif hint is Attempt:
                self._attempt = parameter.name
            elif is_session(hint):
                if not is_plain(function):
                    raise ConfigError(
                        f"{where}: a transaction must not wait for anything but its database, so "
                        "a handler that asks for a Session is a plain def; an async one asks "
                        "for an Attempt, and writes with attempt.write(work, ...)"
                    )
                self._session = parameter.name
            elif injectable(hint):
                self.injected[parameter.name] = hint
            else:
                raise ConfigError(
                    f"{where}: nothing provides {hint!r}; a handler is given its event, resources, "
                    "clients, an Attempt and a Session"
                )
        if not self._event and self.declaration.schedule is None:
            raise ConfigError(f"{place(function)}: no argument takes the event")

    def build(self, container: Container, threads: Threads) -> Service[Attempt, None]:
        """The function as the innermost service of a consumer's stack."""
        function = self.declaration.function
        constants = {
            name: container.instance_value(kind)
            for name, kind in self.injected.items()
            if not container.is_request_scoped(kind)
        }
        scoped = {n: kind for n, kind in self.injected.items() if n not in constants}

        most = self.declaration.settings.retries.attempts

        async def handle(attempt: Attempt) -> None:
            if attempt.number > most:  # what fails is buried sooner; these have killed us
                raise GivenUp(f"none of {attempt.number - 1} attempts has come to an end")
            scope = Scope(container, threads, _NO_REQUEST)
            try:
                arguments = constants.copy()
                if self._event:
                    arguments[self._event] = attempt.event
                if self._attempt:
                    arguments[self._attempt] = attempt
                for name, kind in scoped.items():
                    arguments[name] = await scope.value(kind)
                await self._call(function, arguments, attempt, scope)
            except BaseException as error:
                await scope.close(error)
                raise
            await scope.close()

        return handle

    def _call(
        self,
        function: Callable[..., Any],
        arguments: dict[str, Any],
        attempt: Attempt,
        scope: Scope,
    ) -> Awaitable[Any]:
        if self._session:
            work = partial(function, **arguments)
            return attempt.write(lambda session: work(**{self._session: session}))
        return scope.run(function, arguments)


def describe(app: str, declared: HandlerDeclaration, resources: Iterable[Any]) -> list[Row]:
    """The stack of a handler, slot by slot, as it will be when the app runs.

    Args:
        resources: the types of the app's resources; with a ``Database`` there is an inbox.
    """
    data = sys.modules.get("skerry.data.database")
    inbox: Any = None
    if data is not None and data.Database in resources:
        from skerry.filters.inbox import EffectivelyOnce as inbox
    stack = consumer_stack(
        f"{app}.{declared.name}",
        app=app,
        settings=declared.settings,
        metrics=Metrics(),
        inbox=inbox,
    )
    return rows("consumer", stack)


_NO_REQUEST = Request("", "")
