"""Names as Python writes them, from names as anybody writes them."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable

_BOUNDARY = re.compile(
    r"(?<=[a-z0-9])(?=[A-Z])"  # createdAt
    r"|(?<=[A-Z])(?=[A-Z][a-z])"  # URLPath
)
# What annotations in a class body are made of: a field or method of that name would hide it.
TYPE_NAMES = frozenset(
    {"bool", "bytes", "dict", "float", "int", "list", "str", "dt", "field", "property"}
)
_SOFT = frozenset({"self", "cls", "None", "True", "False"})


def words(text: str) -> list[str]:
    """The words of a name, in lower case: ``createdAt``, ``created-at`` and ``CREATED_AT`` have
    the same two. Signs that begin a number are words (``+1``, ``-1``)."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"^\+(?=\d)", "plus ", text)
    text = re.sub(r"^-(?=\d)", "minus ", text)
    parts = re.split(r"[^\w]+|_+", text)
    return [
        word.lower()
        for part in parts
        for word in _BOUNDARY.split("".join(c for c in part if f"a{c}".isidentifier()))
        if word
    ]


def snake(text: str, otherwise: str = "value") -> str:
    """A name for a field, an argument or a method."""
    name = "_".join(words(text)) or otherwise
    if not name.isidentifier():
        name = f"{otherwise}_{name}"
    return safe(name)


def safe(name: str) -> str:
    if keyword.iskeyword(name) or name in TYPE_NAMES or name in _SOFT:
        return f"{name}_"
    return name


def pascal(text: str, otherwise: str = "Model") -> str:
    """A name for a class. Capitals within a word are kept: ``OAuthToken``."""
    text = unicodedata.normalize("NFKC", text)
    parts = [
        "".join(c for c in part if f"a{c}".isidentifier()) for part in re.split(r"[^\w]+|_+", text)
    ]
    name = "".join(part[0].upper() + part[1:] for part in parts if part) or otherwise
    if name.isupper() and len(name) > 4:
        name = name.capitalize() if len(parts) == 1 else "".join(p.capitalize() for p in parts)
    if not name.isidentifier():
        name = f"{otherwise}{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def constant(text: str) -> str:
    """A name for a member of an enumeration."""
    name = "_".join(words(text)).upper()
    if not name:
        return "EMPTY" if not text.strip() else "SIGN"
    if not name.isidentifier() or name.startswith("_"):
        name = f"VALUE_{name}"
    return f"{name}_" if keyword.iskeyword(name) or name in ("MRO",) else name


def unique(name: str, taken: Iterable[str]) -> str:
    """``name``, or the first of ``name_2``, ``name_3`` that is free."""
    found, number = name, 2
    taken = taken if isinstance(taken, set | frozenset | dict) else set(taken)
    while found in taken:
        separator = "" if name[:1].isupper() and not name.isupper() else "_"
        found, number = f"{name}{separator}{number}", number + 1
    return found
