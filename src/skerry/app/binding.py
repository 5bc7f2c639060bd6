"""From a function's signature to a plan for its arguments.

The rules, in order; the first that applies decides:

1. a name in the path template is a path parameter;
2. an ``Annotated`` marker says where it comes from;
3. a registered type (a resource, settings, a client of another app, the request itself, a
   SQLAlchemy ``Session``, the ``Idempotency`` of an idempotent endpoint);
4. a type that text cannot carry (a struct, a dict, a list of structs, bytes, an async iterator)
   is the body, of which there is one;
5. anything else is a query parameter.

All of it is worked out once, at start, and what is ambiguous is an error there and not at the
first request.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from skerry.contract.aliases import plain
from skerry.contract.defaults import check_default
from skerry.contract.hints import adapt
from skerry.core.errors import ConfigError
from skerry.core.wire import Request
from skerry.filters.idempotency import Idempotency

from . import markers

_STREAMS = (AsyncIterator, AsyncIterable, AsyncGenerator)
_FROM_REQUEST = ("path", "query", "header", "cookie", "body")
BODYLESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"})


@dataclass(frozen=True, slots=True)
class Argument:
    """Where one argument comes from.

    Attributes:
        source: one of the rules above.
        wire_name: its name in the path, query, header or cookie.
        type: without the marker, other annotations kept.
        required: whether there is no default.
        stream: the body, item by item.
    """

    name: str
    source: Literal[
        "path", "query", "header", "cookie", "body", "injected", "request", "session", "idempotency"
    ]
    wire_name: str
    type: Any
    required: bool
    default: Any
    marker: markers.Marker
    stream: bool = False


def hints_of(function: Callable[..., Any], local: dict[str, Any] | None = None) -> dict[str, Any]:
    """The annotations of ``function`` as types, ``Annotated`` kept, aliases replaced.

    Raises:
        ConfigError: one of them names something that is not there.
    """
    try:
        hints = get_type_hints(function, localns=local, include_extras=True)
        return {name: adapt(hint) for name, hint in hints.items()}
    except ConfigError as error:
        raise ConfigError(f"{place(function)}: {error}") from error
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise ConfigError(f"{place(function)}: cannot read its annotations: {error}") from error


def place(function: Callable[..., Any]) -> str:
    """Where a function is, for error messages: ``quotes.app.create_quote (app.py:31)``."""
    inner = inspect.unwrap(function)
    name = f"{inner.__module__}.{getattr(inner, '__qualname__', type(inner).__name__)}"
    code = getattr(inner, "__code__", None)
    if code is None:
        return name
    file = code.co_filename.replace("\\", "/").rpartition("/")[2]
    return f"{name} ({file}:{code.co_firstlineno})"


def caller_locals(function: Callable[..., Any]) -> dict[str, Any] | None:
    """Names around a function defined inside another, where its annotations may live.

    To be called while the decorator runs: the frame that declares is the first one outside
    this package.
    """
    if "<locals>" not in getattr(function, "__qualname__", ""):
        return None
    package = __name__.rpartition(".")[0]
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(package):
        frame = frame.f_back
    return dict(frame.f_locals) if frame is not None else None


def bind(
    function: Callable[..., Any],
    *,
    method: str,
    path_names: Iterable[str],
    injectable: Callable[[Any], bool],
    local: dict[str, Any] | None = None,
) -> list[Argument]:
    """The plan for ``function``'s arguments.

    Args:
        path_names: the parameters of the path template.
        injectable: whether a type is registered.
        local: extra names for annotations; see ``caller_locals``.

    Raises:
        ConfigError: an argument is ambiguous, has no annotation, or cannot be filled.
    """
    hints = hints_of(function, local)
    wanted = set(path_names)
    arguments: list[Argument] = []
    for parameter in inspect.signature(function).parameters.values():
        where = f"{place(function)}: {parameter.name!r}"
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ConfigError(f"{where}: an endpoint has no *args and no **kwargs")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise ConfigError(f"{where}: arguments are given by name; remove the '/'")
        if parameter.name not in hints:
            raise ConfigError(f"{where} needs an annotation")
        argument = _argument(parameter, hints[parameter.name], wanted, injectable, where)
        if argument.source == "body":
            if method in BODYLESS:
                raise ConfigError(
                    f"{where} would be the body, which {method} does not have; "
                    "mark it Query(), or register its type as a resource"
                )
            taken = next((a.name for a in arguments if a.source == "body"), None)
            if taken is not None:
                raise ConfigError(
                    f"{where} and {taken!r} would both be the body; join them in one "
                    "struct, or register the type that is not part of the request"
                )
        if argument.source in _FROM_REQUEST and not (argument.required or argument.stream):
            try:
                check_default(argument.type, argument.default)
            except ConfigError as error:
                raise ConfigError(f"{where}: {error}") from error
        if argument.source == "session" and not is_plain(function):
            raise ConfigError(
                f"{where}: a transaction must not wait for anything but its database, so a "
                "function that asks for a Session is a plain def"
            )
        same = (argument.source, argument.wire_name)
        other = next((a.name for a in arguments if (a.source, a.wire_name) == same), None)
        if other is not None:
            raise ConfigError(f"{where} and {other!r} are both the {same[0]} {same[1]!r}")
        wanted.discard(argument.wire_name if argument.source == "path" else "")
        arguments.append(argument)
    if wanted:
        raise ConfigError(
            f"{place(function)}: the path has {{{min(wanted)}}}, the function does not"
        )
    return arguments


def _argument(
    parameter: inspect.Parameter,
    hint: Any,
    path_names: set[str],
    injectable: Callable[[Any], bool],
    where: str,
) -> Argument:
    bare, marker = split_marker(hint, where)
    required = parameter.default is parameter.empty
    default = None if required else parameter.default
    name = parameter.name

    def make(source: Any, wire_name: str = "", **more: Any) -> Argument:
        return Argument(
            name,
            source,
            wire_name or name,
            strip(bare) if source == "injected" else bare,
            required,
            default,
            marker or markers.Marker(),
            **more,
        )

    if name in path_names or isinstance(marker, markers.Path):
        if marker is not None and not isinstance(marker, markers.Path):
            raise ConfigError(f"{where} is in the path and marked {type(marker).__name__}")
        wire_name = (marker.name if marker else "") or name
        if wire_name not in path_names:
            raise ConfigError(f"{where} is marked Path; the path has no {{{wire_name}}}")
        return make("path", wire_name)
    match marker:
        case markers.Query():
            return make("query", marker.name)
        case markers.Header():
            return make("header", (marker.name or name.replace("_", "-")).lower())
        case markers.Cookie():
            return make("cookie", marker.name)
        case markers.Body():
            return make("body", stream=is_stream(bare))
    if bare is Request:
        return make("request")
    if injectable(strip(bare)):
        return make("injected")
    if is_session(strip(bare)):
        return make("session", "session")
    if bare is Idempotency:
        return make("idempotency", "key")
    if not is_text(bare):
        return make("body", stream=is_stream(bare))
    return make("query")


def is_plain(function: Callable[..., Any]) -> bool:
    """Whether calling ``function`` runs it there and then, in whoever's thread that is."""
    return not (inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function))


def is_session(hint: Any) -> bool:
    """Whether a type is SQLAlchemy's ``Session``: asked of SQLAlchemy if somebody has it."""
    orm = sys.modules.get("sqlalchemy.orm")
    return orm is not None and isinstance(hint, type) and issubclass(hint, orm.Session)


def split_marker(hint: Any, where: str) -> tuple[Any, markers.Marker | None]:
    """``Annotated[int, Gt(0), Query()]`` as ``Annotated[int, Gt(0)]`` and the marker."""
    if get_origin(hint) is not Annotated:
        return hint, None
    base, *notes = get_args(hint)
    found: list[markers.Marker] = []
    kept: list[Any] = []
    for note in notes:
        if isinstance(note, type) and issubclass(note, markers.Marker):
            note = note()
        (found if isinstance(note, markers.Marker) else kept).append(note)
    if len(found) > 1:
        raise ConfigError(f"{where} is marked twice")
    bare = Annotated[(base, *kept)] if kept else base
    return bare, found[0] if found else None


def strip(hint: Any) -> Any:
    """The type inside ``Annotated[...]``, or the type."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def is_stream(hint: Any) -> bool:
    return get_origin(strip(hint)) in _STREAMS


def item_of(hint: Any) -> Any:
    """``T`` of ``AsyncIterator[T]``."""
    arguments = get_args(strip(hint))
    return arguments[0] if arguments else Any


def is_text(hint: Any) -> bool:
    """Whether a value of this type is written as text, as in a path or a query string."""
    hint = plain(hint)
    origin = get_origin(hint)
    if origin is Literal:
        return True
    if origin in (Union, types.UnionType):
        return all(is_text(option) for option in get_args(hint) if option is not type(None))
    if origin in (list, set, tuple, frozenset):
        return all(is_text(item) for item in get_args(hint) if item is not Ellipsis)
    if not isinstance(hint, type):
        return False
    return issubclass(hint, (str, int, float, bool, Enum)) or hint.__name__ in _TEXT_NAMES


_TEXT_NAMES = frozenset({"Decimal", "date", "time", "datetime", "timedelta", "UUID", "NoneType"})


def split_template_names(path: str) -> list[str]:
    """The names of the parameters in a path template."""
    return re.findall(r"\{(\w+)(?::path)?\}", path)
