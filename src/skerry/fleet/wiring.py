"""Environment variables that speak of other services, made to speak of the fleet's.

``http://quotes:8000/api`` becomes ``{quotes.url}/api``, ``db`` in ``DB_HOST`` becomes
``{db.host}``, and whoever speaks of somebody needs them.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from skerry.spec import escape

from .drafts import AppDraft, BackingDraft, Draft

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][\w+.-]*)://(?:(?P<user>[^\s:@/]*)(?::(?P<password>[^\s@/]*))?@)?"
    r"(?P<host>[\w.-]+)(?::(?P<port>\d+))?(?P<path>/[^\s?#,;]*)?"
)
_PAIR = re.compile(r"(?<![\w./@-])(?P<host>[A-Za-z0-9][\w.-]*):(?P<port>\d{2,5})(?!\w)")
_HOST_NAMES = re.compile(r"HOST|ADDR|SERVER|URL|URI|ENDPOINT|BROKER|SERVICE|UPSTREAM|BACKEND")
_WORDS = {
    "user": re.compile(r"USER"),
    "password": re.compile(r"PASS|PWD"),
    "database": re.compile(r"NAME|DB|DATABASE|VHOST"),
}
_DEFAULT_PORTS = {"postgresql": 5432, "redis": 6379, "rabbitmq": 5672}


def wire(draft: Draft) -> None:
    """Rewrite the environment of every app; add what it turns out to need."""
    for app in draft.apps.values():
        for variable, value in app.env.items():
            app.env[variable] = _rewritten(draft, app, value)
        for variable, value in app.env.items():
            app.env[variable] = _own(app, variable.upper(), value)
        for step in (_host, _detail):  # whom it speaks of first, then what it says of them
            for variable, value in app.env.items():
                app.env[variable] = step(draft, app, variable.upper(), value)


def _rewritten(draft: Draft, app: AppDraft, value: str) -> str:
    """``value`` with its URLs and ``host:port`` pairs replaced, and all else kept literal."""
    known = {*draft.apps, *draft.backings}
    out, at = "", 0
    while found := _URL.search(value, at) or _PAIR.search(value, at):
        pair = _PAIR.search(value, at)
        if pair is not None and pair.start() < found.start():
            found = pair
        name = draft.hosts.get(found["host"])
        out += escape(value[at : found.start()], known)
        if name is None:
            out += escape(found[0], known)
        else:
            app.need(name)
            out += _address(draft, name, found)
        at = found.end()
    return out + escape(value[at:], known)


def _address(draft: Draft, name: str, found: re.Match[str]) -> str:
    parts = found.groupdict()
    if "scheme" not in parts:
        return f"{{{name}.host}}:{{{name}.port}}"
    known = {*draft.apps, *draft.backings}
    path = escape(parts["path"] or "", known)
    if name in draft.apps:
        if parts["scheme"] in ("http", "https"):
            return f"{{{name}.url}}{'' if path == '/' else path}"
        return f"{parts['scheme']}://{{{name}.host}}:{{{name}.port}}{path}"
    place = f"{{{name}.host}}:{{{name}.port}}"
    if draft.backings[name].kind == "redis":  # asks for no password; the path is its database
        return f"{parts['scheme']}://{place}{path}"
    return f"{parts['scheme']}://{{{name}.user}}:{{{name}.password}}@{place}/{{{name}.database}}"


def _own(app: AppDraft, variable: str, value: str) -> str:
    """``value`` where it says on which port the app itself listens."""
    host, colon, port = value.rpartition(":")
    if not port.isdecimal() or int(port) not in app.ports:
        return value
    if colon and host in ("", "0.0.0.0", "127.0.0.1", "localhost"):
        return f"127.0.0.1:{{{app.name}.port}}"
    return f"{{{app.name}.port}}" if not colon and "PORT" in variable else value


def _host(draft: Draft, app: AppDraft, variable: str, value: str) -> str:
    name = draft.hosts.get(value)
    if name is None or not _HOST_NAMES.search(variable):
        return value
    app.need(name)
    return f"{{{name}.host}}"


def _detail(draft: Draft, app: AppDraft, variable: str, value: str) -> str:
    """``value`` where it is the port, the user … of something the app needs."""
    for need in app.needs:
        if value.isdecimal() and "PORT" in variable and _is_port_of(draft, need, value):
            return f"{{{need}.port}}"
        backing = draft.backings.get(need)
        part = _part(backing, variable, value) if backing else None
        if part is not None:
            return f"{{{need}.{part}}}"
    return value


def _is_port_of(draft: Draft, name: str, value: str) -> bool:
    if name in draft.backings:
        return int(value) == _DEFAULT_PORTS[draft.backings[name].kind]
    return int(value) in draft.apps[name].ports


def _part(backing: BackingDraft, variable: str, value: str) -> str | None:
    for part, word in backing.words.items():
        if value and unquote(value) == word and _WORDS[part].search(variable):
            return part
    return None
