"""Answers that say no: which exception one becomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, get_type_hints
from weakref import WeakKeyDictionary

import msgspec
from msgspec import NODEFAULT, UNSET, Struct

from skerry.core import errors
from skerry.core.errors import Problem

from .oneof import decoder_of

Raises = Mapping[int | str, type[Problem] | tuple[type[Problem], ...]]

_BY_STATUS: dict[int, type[Problem]] = {
    400: errors.BadRequest,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    409: errors.Conflict,
    415: errors.UnsupportedMediaType,
    500: errors.Internal,
}


def declared(raises: Raises, status: int) -> Iterator[type[Problem]]:
    """The problems a contract names for a status: exactly, by its class, or by default."""
    for key in (status, f"{status // 100}XX", "default") if status >= 400 else ():
        found = raises.get(key)
        if found is not None:
            yield from found if isinstance(found, tuple) else (found,)
            return


def problem_of(classes: tuple[type[Problem], ...], status: int, body: bytes) -> Problem | None:
    """The declared problem that an answer is, members and all; None where it is none of them.

    The document's ``type`` decides; then, since not every server sends one, the status.

    Args:
        classes: what the contract names for this status.

    Raises:
        Invalid, BadRequest: it is one of them, but its members are not as declared.
    """
    document = _document(body)
    if not document and body and Problem in classes:
        return None  # a page of a proxy in between: nothing that the contract speaks of
    uri = document.get("type")
    by_type = [cls for cls in classes if cls.type == uri and cls is not Problem]
    if by_type:
        return _build(by_type[0], status, document, body)
    candidates = [cls for cls in classes if cls.status == status or "status" not in vars(cls)]
    fault: Problem | None = None
    for cls in candidates or classes:
        try:
            return _build(cls, status, document, body)
        except (errors.BadRequest, errors.Invalid) as error:
            fault = fault or error
    if fault is not None:
        raise fault
    return None


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _build(cls: type[Problem], status: int, document: Mapping[str, Any], body: bytes) -> Problem:
    if cls is Problem:
        return _general(status, document)
    members: dict[str, Any] = {}
    if cls.members:
        read = _members_of(cls)(body or b"{}")
        members = {
            name: value for name in cls.members if (value := getattr(read, name)) is not UNSET
        }
    return _finish(cls(detail=_detail(document), **members), status, document)


def _general(status: int, document: Mapping[str, Any]) -> Problem:
    """An answer whose contract names no members: the class of its status, if it has one."""
    return _finish(_BY_STATUS.get(status, Problem)(detail=_detail(document)), status, document)


def _finish(problem: Problem, status: int, document: Mapping[str, Any]) -> Problem:
    """What was sent wins over what the class says."""
    own = vars(problem)
    if problem.status != status:
        own["status"] = status
    if type(problem) is Problem:
        own["type"] = str(document.get("type") or "about:blank")
        own["title"] = str(document.get("title") or _phrase(status))
        if not problem.detail:
            problem.args = (problem.title,)
    return problem


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"


def _detail(document: Mapping[str, Any]) -> str:
    """The line for people: RFC 9457's, or what other servers call it."""
    nested = document.get("error")
    for source in (document, nested if isinstance(nested, dict) else {}):
        for key in ("detail", "message", "error_description", "error"):
            if isinstance(source.get(key), str):
                return str(source[key])
    return ""


_decoders: WeakKeyDictionary[type[Problem], Any] = WeakKeyDictionary()


def _members_of(cls: type[Problem]) -> Any:
    decoder = _decoders.get(cls)
    if decoder is None:
        decoder = _decoders[cls] = _make_decoder(cls)
    return decoder


def _make_decoder(cls: type[Problem]) -> Any:
    """The decoder of a problem's members, made of its annotations."""
    hints = get_type_hints(cls, include_extras=True)
    wire: Mapping[str, str] = getattr(cls, "__wire__", {})
    fields = [
        (name, hints[name], msgspec.field(name=wire.get(name), default=_default(cls, name)))
        for name in cls.members
    ]
    struct: type[Struct] = msgspec.defstruct(cls.__name__, fields, kw_only=True)
    return decoder_of(struct)


def _default(cls: type[Problem], name: str) -> Any:
    default = getattr(cls, name, NODEFAULT)
    return NODEFAULT if hasattr(default, "__get__") else default
