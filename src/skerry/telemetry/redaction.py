"""What must not be seen by whoever looks at spans: decided by the names of things.

On by default. A name that sounds like a secret hides its value; so does a value's own type.
"""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any

HIDDEN = "[redacted]"

_SECRET = re.compile(
    r"pass(word|wd|phrase)?$|pwd|secret|token|api_?key|auth|cookie|session_?id|credential|private"
    r"|signature|card|cvv|cvc|iban|account_?number|ssn|otp|^pin$|dsn|database_?url|connection",
    re.IGNORECASE,
)
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^\s/@:]*:[^\s/@]*@", re.IGNORECASE)
_OWN = [re.escape(n.strip()) for n in os.environ.get("SKERRY_REDACT", "").split(",") if n.strip()]
_ALSO = re.compile("|".join(_OWN) or "(?!)", re.IGNORECASE)
_LONG = 300
_DEEP = 3
_MANY = 20

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 200


def is_secret(name: str) -> bool:
    """Whether what is called so is hidden; ``SKERRY_REDACT`` names parts of further names."""
    return _SECRET.search(name.replace("-", "_")) is not None or _ALSO.search(name) is not None


def without_passwords(text: str) -> str:
    """Text whose URLs name no user and no password."""
    return _URL.sub(rf"\g<scheme>{HIDDEN}@", text)


def shown(name: str, value: Any) -> str:
    """A value in few words, for people; hidden, and everything in it, where names say so."""
    if is_secret(name):
        return HIDDEN
    try:
        return _cut(_repr(value, _DEEP))
    except Exception as error:  # somebody's __repr__
        return f"<{type(value).__name__}: its repr raised {type(error).__name__}>"


def redacted(value: Any) -> Any:
    """A JSON value without what its names say is secret."""
    if isinstance(value, Mapping):
        return {k: HIDDEN if is_secret(str(k)) else redacted(v) for k, v in value.items()}
    if isinstance(value, list):
        return [redacted(one) for one in value]
    return without_passwords(value) if isinstance(value, str) else value


def _repr(value: Any, deep: int) -> str:
    if isinstance(value, (str, bytes)):
        return without_passwords(repr(value[:_LONG]))
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    if deep and isinstance(value, Mapping):
        return "{" + ", ".join(_pair(repr(k), str(k), v, deep) for k, v in _some(value)) + "}"
    if deep and isinstance(value, (list, tuple, set, frozenset)):
        inner = ", ".join(_repr(one, deep - 1) for one in list(value)[:_MANY])
        return f"[{inner}]" if isinstance(value, Sequence) else f"{{{inner}}}"
    fields = getattr(value, "__struct_fields__", None)
    if fields is None and is_dataclass(value):
        fields = tuple(value.__dataclass_fields__)
    if deep and fields is not None and not isinstance(value, type):
        pairs = ((name, getattr(value, name, None)) for name in fields[:_MANY])
        return f"{type(value).__name__}(" + ", ".join(_field(n, v, deep) for n, v in pairs) + ")"
    return without_passwords(_short.repr(value))


def _some(value: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    return list(value.items())[:_MANY]


def _pair(key: str, name: str, value: Any, deep: int) -> str:
    return f"{key}: {HIDDEN if is_secret(name) else _repr(value, deep - 1)}"


def _field(name: str, value: Any, deep: int) -> str:
    return f"{name}={HIDDEN if is_secret(name) else _repr(value, deep - 1)}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"
