"""What must not be seen by whoever looks at spans: decided by the names of things.

On by default. A name that sounds like a secret hides its value; so does a value's own type.
"""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from functools import lru_cache
from typing import Any

HIDDEN = "[redacted]"

_SECRET = re.compile(
    r"pass(word|wd|phrase|code)|(^|_)pass$|pwd|secret|token|(api|access|encryption|signing)_?key"
    r"|auth(?!ors?(_|$)|ority)|cookie|session_?id|credential|private|signature|bearer|jwt|[cx]srf"
    r"|(?<!dis)card(?!inal)|cvv|cvc|security_?code|iban|account_?number|ssn|otp|(^|_)pin(_|$)"
    r"|pin_?code|dsn|database_?url|connection",
    re.IGNORECASE,
)
# In what follows a repetition begins where its like does not go before (``(?<!…)``) and gives
# nothing back (``++``), so that a long text is read once and not from each of its characters.
_URL = re.compile(
    r"(?P<scheme>(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*+://)[^\s/@:]*:[^\s/@]*@", re.IGNORECASE
)
# ``name=value``, as in a URL's query or in a connection string; ``"name": value``, as in JSON.
_PAIR = re.compile(
    r"""(?<![\w.\-])(?P<name>[\w.\-]++)"""
    r"""(?P<sign>=|["']\s*:\s*)"""
    r"""(?P<value>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[^\s&"'<>,;)\]}]+)"""
)
_FIELD = re.compile(
    r"^(?P<name>(?:proxy-)?authorization|(?:set-)?cookie|x-api-key)(?P<sign>[ \t]*+:[ \t]*+)[^\n]+",
    re.IGNORECASE | re.MULTILINE,
)
_BEARER = re.compile(r"\b(?P<scheme>bearer\s+)[\w.~+/=\-]{8,}", re.IGNORECASE)
_JWT = re.compile(r"(?<![\w\-])eyJ[\w\-]{5,}+\.[\w\-]++\.[\w\-]*+")
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


def without_secrets(text: str) -> str:
    """Text without what its form shows to be secret: users and passwords of URLs, values behind
    such a name, bearer tokens."""
    if "=" in text or ":" in text:
        text = _URL.sub(rf"\g<scheme>{HIDDEN}@", text)
        text = _PAIR.sub(_kept, _FIELD.sub(rf"\g<name>\g<sign>{HIDDEN}", text))
    if "earer" in text or "EARER" in text:
        text = _BEARER.sub(rf"\g<scheme>{HIDDEN}", text)
    return _JWT.sub(HIDDEN, text) if "eyJ" in text else text


def _kept(pair: re.Match[str]) -> str:
    return f"{pair['name']}{pair['sign']}{HIDDEN}" if is_secret(pair["name"]) else pair[0]


@lru_cache(1024)
def _places(template: str) -> tuple[int, ...]:
    """Which segments of a path are parameters whose names hide them."""
    parts = template.split("/")
    return tuple(i for i, part in enumerate(parts) if "{" in part and is_secret(part.strip("{}")))


def path_of(template: str, path: str) -> str:
    """A path without the parameters that are secret by their names in ``template``,
    ``/cards/{card_number}``."""
    places = _places(template)
    if not places:
        return path
    parts = path.split("/")
    return "/".join([HIDDEN if i in places else part for i, part in enumerate(parts)])


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
    return without_secrets(value) if isinstance(value, str) else value


def _repr(value: Any, deep: int) -> str:
    if isinstance(value, (str, bytes)):
        return without_secrets(repr(value[:_LONG]))
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
    return without_secrets(_short.repr(value))


def _some(value: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    return list(value.items())[:_MANY]


def _pair(key: str, name: str, value: Any, deep: int) -> str:
    return f"{key}: {HIDDEN if is_secret(name) else _repr(value, deep - 1)}"


def _field(name: str, value: Any, deep: int) -> str:
    return f"{name}={HIDDEN if is_secret(name) else _repr(value, deep - 1)}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"
