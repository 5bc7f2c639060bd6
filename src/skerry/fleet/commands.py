"""Start commands written for a container or a Procfile, made fit for a fleet.

A container listens on all addresses at a port of its own choice, since it is alone there. In a
fleet the port is given in ``$PORT`` and 127.0.0.1 is address enough. What programs call their
port differs; what is here is what the common servers' own documentation says.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass

_PORT = r"\d{2,5}"
_OWN = re.compile(r"\$\{PORT(?::?-[^}]*)?\}|\$PORT\b")
_EVERYWHERE = re.compile(r"\b0\.0\.0\.0\b|\[::\](?=:)|(?<=[\s=])::(?=\s|$)")
_QUOTED = re.compile(r"'([^'\s]*\$PORT[^'\s]*)'")  # a shell would leave it as it is
# What stands before a port that a command names: a flag, or an address.
_FLAGGED = re.compile(
    rf"((?:^|\s)(?:--(?:http-|server[.-])?port|-p|-l)(?:=|\s+|(?<=-p)))({_PORT})(?![\w.:])"
)
_ADDRESS = re.compile(
    rf"((?:127\.0\.0\.1|localhost|(?:--bind|-b|--listen)[=\s]+\*?):)({_PORT})(?!\w)"
)
_BARE = re.compile(rf"((?:runserver|http\.server)\s+)({_PORT})(?![\w.:])")
_ASSIGNED = re.compile(rf"((?:^|\s)(?:\w+_)?PORT=)({_PORT})(?!\w)")

# A server that is told its port by nothing: what to add. The first that fits.
_SERVERS: Sequence[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern), added)
    for pattern, added in (
        (r"\bgunicorn\b", "--bind 127.0.0.1:$PORT"),
        (r"\b(?:uvicorn|granian|daphne)\b", "--port $PORT"),
        (r"\bhypercorn\b", "--bind 127.0.0.1:$PORT"),
        (r"\bfastapi\s+(?:run|dev)\b", "--port $PORT"),
        (r"\bflask\b.*\brun\b", "--port $PORT"),
        (r"\bmanage\.py\s+runserver\b", "127.0.0.1:$PORT"),
        (r"\bwaitress-serve\b", "--listen=127.0.0.1:$PORT"),
        (r"\bstreamlit\s+run\b", "--server.port $PORT"),
        (r"\bhttp\.server\b", "$PORT"),
        (r"\b(?:rails|thin)\s+(?:s|server|start)\b", "-p $PORT"),
        (r"\b(?:puma|rackup|unicorn|shotgun)\b", "-p $PORT"),
    )
]
_WITH_PATH_FIRST = re.compile(r"\bwaitress-serve\b")
_WORKERS = re.compile(
    r"\bcelery\b(?!.*\bflower\b)|\brq\s+worker\b|\brqworker\b|\bdramatiq\b|\bhuey_consumer|\barq\b"
    r"|\btaskiq\s+(?:worker|scheduler)|\bsidekiq\b|\bjobs:work\b|\bresque:work\b|\bqcluster\b"
    r"|\bprocess_tasks\b|\bdb_worker\b|\bgood_job\b|\bclockwork\b|\bcron\b"
)
_ASGI_OR_WSGI = re.compile(
    r"^(?:\S*python[\d.]*\s+-m\s+)?(?:\S*/)?(?P<server>uvicorn|gunicorn|hypercorn|granian|daphne)\s"
)
_OBJECT = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(?:\(\))?$")
_DJANGO = re.compile(r"^[A-Za-z_][\w.]*\.(?:wsgi|asgi)$")
_ELSEWHERE = re.compile(r"(?:^|\s)--(?:app-dir|chdir|pythonpath|working-dir)\b|[|;&`]|\$\(")
_SHELLS = frozenset({"sh", "bash", "/bin/sh", "/bin/bash", "/usr/bin/env bash"})


@dataclass(frozen=True, slots=True)
class Command:
    """A command that fits a fleet.

    Attributes:
        text: for a shell.
        told: whether it says its port in a way that was understood.
        worker: whether it is a known program that serves nothing.
    """

    text: str
    told: bool
    worker: bool


def adapt(text: str, ports: Collection[int] = ()) -> Command:
    """Make a command listen on ``$PORT`` of 127.0.0.1.

    Args:
        ports: those its container exposes; elsewhere in the command they are taken for its own.
    """
    text = " ".join(text.split())
    if _WORKERS.search(text):
        return Command(text, told=False, worker=True)
    text = _EVERYWHERE.sub("127.0.0.1", text)
    for pattern in (_FLAGGED, _ADDRESS, _BARE, _ASSIGNED):
        text = pattern.sub(r"\g<1>$PORT", text)
    for port in ports:
        text = re.sub(rf"(?<=:){port}(?![\w.])", "$PORT", text)
    text = _QUOTED.sub(r"\1", text)
    if _OWN.search(text):
        return Command(text, told=True, worker=False)
    # What comes before the last command of a list is done when the server starts.
    end = max((found.end() for found in re.finditer(r"&& |; ", text)), default=0)
    before, last = text[:end], text[end:]
    for pattern, added in _SERVERS:
        if pattern.search(last) and not re.search(r"[|;&]", last):
            if _WITH_PATH_FIRST.search(last):
                last = last.replace("waitress-serve", f"waitress-serve {added}")
            else:
                last = f"{last} {added}"
            return Command(before + last, told=True, worker=False)
    return Command(text, told=False, worker=False)


def application_of(text: str) -> str:
    """The application object that a command serves, ``main:app``; empty where it does not say."""
    if not _ASGI_OR_WSGI.match(text) or _ELSEWHERE.search(text):
        return ""
    try:
        words = shlex.split(text)
    except ValueError:
        return ""
    found = [f"{word}:application" if _DJANGO.match(word) else word for word in words]
    found = [word for word in found if _OBJECT.match(word)]
    if len(found) != 1:
        return ""
    factory = "--factory" in words and not found[0].endswith("()")
    return f"{found[0]}()" if factory else found[0]


def serves(text: str) -> bool:
    """Whether the command is a server that is known by name, or speaks of ``$PORT``."""
    return bool(_OWN.search(text)) or any(pattern.search(text) for pattern, _ in _SERVERS)


def shell_text(command: object) -> str:
    """A Dockerfile's or compose's command, a string or a list, as one line for a shell."""
    if isinstance(command, str):
        return command.strip()
    if not isinstance(command, list):
        return ""
    words = [str(word) for word in command]
    if len(words) > 2 and words[0] in _SHELLS and words[1] in ("-c", "-lc", "-ec"):
        return words[2].strip()
    return shlex.join(words)
