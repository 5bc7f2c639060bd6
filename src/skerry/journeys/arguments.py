"""What the arguments of a journey are, by their types."""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from skerry.core.errors import ConfigError

Kind = Literal["client", "dynamic", "http", "browser", "run", "settings"]

BROWSERS = ("Page", "BrowserContext", "Browser")
"""Playwright's types that a journey may ask for."""


@dataclasses.dataclass(frozen=True, slots=True)
class Need:
    """One argument.

    Attributes:
        said: what ``Annotated`` adds: an app's name, or what goes before names of settings.
    """

    name: str
    kind: Kind
    type: Any
    said: str = ""

    @property
    def app(self) -> str:
        """The app it leads to; empty for none in particular."""
        if self.kind == "client":
            return str(self.type.__app__)
        if self.kind == "dynamic":
            return self.said or self.name.replace("_", "-")
        return self.said if self.kind == "http" else ""


def place_of(function: Callable[..., Any]) -> str:
    """Where a function is, for messages: ``pay_tuition (pay_tuition.py:12)``."""
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", repr(function))
    if code is None:
        return str(name)
    return f"{name} ({code.co_filename.rpartition('/')[2]}:{code.co_firstlineno})"


def needs_of(function: Callable[..., Any], local: dict[str, Any] | None = None) -> tuple[Need, ...]:
    """The arguments of a journey's function.

    Args:
        local: extra names for annotations; see ``caller_locals``.

    Raises:
        ConfigError: one has no annotation, or one that nothing here provides.
    """
    where = place_of(function)
    try:
        hints = get_type_hints(function, localns=local, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise ConfigError(f"{where}: cannot read its annotations: {error}") from error
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ConfigError(f"{where}: a journey takes no *{parameter.name}")
        if parameter.name in hints:
            found.append(_need(where, parameter.name, hints[parameter.name]))
        elif parameter.default is parameter.empty:
            raise ConfigError(
                f"{where}: {parameter.name!r} needs an annotation: what it is given goes by type"
            )
    return tuple(found)


def _need(where: str, name: str, hint: Any) -> Need:
    said = ""
    if get_origin(hint) is Annotated:
        hint, *extra = get_args(hint)
        said = next((one for one in extra if isinstance(one, str)), "")
    kind = _kind(hint)
    if kind is None:
        shown = hint.__qualname__ if get_origin(hint) is None and isinstance(hint, type) else hint
        raise ConfigError(
            f"{where}: nothing provides {name!r}: {shown}; a journey is given clients of apps, "
            "Http, Run, settings (a Struct or a dataclass), and Playwright's Page"
        )
    return Need(name, kind, hint, said)


def _kind(hint: Any) -> Kind | None:
    from skerry.clients.dynamic import DynamicClient
    from skerry.clients.runtime import Client

    from .http import Http
    from .run import Run

    if hint in (Client, DynamicClient):
        return "dynamic"
    if getattr(hint, "__app__", ""):
        return "client"
    if hint is Http:
        return "http"
    if hint is Run:
        return "run"
    if not isinstance(hint, type) or isinstance(hint, types.GenericAlias):
        return None
    if hint.__module__.partition(".")[0] == "playwright" and hint.__name__ in BROWSERS:
        return "browser"
    if issubclass(hint, msgspec.Struct) or dataclasses.is_dataclass(hint):
        return "settings"
    return None


def caller_locals(function: Callable[..., Any]) -> dict[str, Any] | None:
    """Names around a function defined inside another, where its annotations may live. To be
    called while the decorator runs."""
    if "<locals>" not in function.__qualname__:
        return None
    package = __name__.rpartition(".")[0]
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(package):
        frame = frame.f_back
    return dict(frame.f_locals) if frame is not None else None
