"""Every key that ``fleet.toml`` may have: its check, its JSON Schema and what it is for.

One table, read by the reader, by the schema for editors, and by the test that fails when a key
is missing in ``docs/fleet-toml.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import checks, promises
from .faults import nearest

KINDS = ("postgresql", "redis", "rabbitmq")
SCHEMES = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "redis": "redis",
    "rediss": "redis",
    "amqp": "rabbitmq",
    "amqps": "rabbitmq",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table.

    Attributes:
        check: the value as written → the value; raises ``checks.Wrong``.
        help: one sentence for editors.
        schema: its JSON Schema, without the description.
    """

    name: str
    check: checks.Check
    help: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
_NAMES = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_port = checks.whole(1, 65535)

_SECONDS = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": "^[0-9.]+ *m?s$"}]}
_PERCENT = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100}


def _objectives(of: str) -> dict[str, Any]:
    measured = {"availability": _PERCENT, "latency": _SECONDS, "within": _PERCENT}
    properties = {of: {"type": "string"}, **measured}
    one = {"type": "object", "additionalProperties": False, "properties": properties}
    return {"type": "array", "items": one}


MANIFEST = (
    Key("owner", promises.owner, "Who is told of trouble: an e-mail address, or a webhook's URL."),
    Key("team", checks.text, "Whose it is, for people to read."),
    Key(
        "objectives",
        promises.objectives,
        "What it promises: availability in percent, latency in seconds.",
        _objectives("endpoint"),
    ),
)
"""What an app can say of itself as well, under ``[tool.skerry]`` in its ``pyproject.toml``."""

TABLES: Mapping[str, tuple[Key, ...]] = {
    "fleet": (
        Key("name", checks.label, "The fleet's name; by default that of its folder."),
        Key(
            "together",
            checks.groups,
            'Apps that share a process: "all", one list of names, or a list of lists.',
            {"anyOf": [{"const": "all"}, _NAMES, {"type": "array", "items": _NAMES}]},
        ),
    ),
    "front": (
        Key("port", _port, "The port people use; by default one is chosen and kept.", _PORT),
        Key("host", checks.text, "The address to listen on; by default 127.0.0.1."),
        Key("routes", checks.routes, "Path prefix to app; the longest prefix wins.", _TEXTS),
    ),
    "apps": (
        Key("path", checks.text, "Its folder, by default named like it; with git, inside of that."),
        Key("app", checks.reference, "The application object, package.module:variable."),
        Key("command", checks.text, "A shell command that serves HTTP on $PORT, instead of app."),
        Key("git", checks.repository, "The URL of its repository."),
        Key("tag", checks.tag, "The tag to take from the repository."),
        Key("url", checks.web_url, "The address of an app that runs elsewhere."),
        Key(
            "instances",
            checks.whole(1, 999),
            "How many copies run; by default 1.",
            {"type": "integer", "minimum": 1, "maximum": 999},
        ),
        Key("needs", checks.names, "The apps and backings it uses.", _NAMES),
        Key("port", _port, "The port of its first instance; dynamic by default.", _PORT),
        Key("env", checks.variables, "Environment variables; {name.url} is an address.", _TEXTS),
        Key("health", checks.path_prefix, "A path that answers when it can work."),
        Key("python", checks.text, "Its own interpreter or virtual environment."),
        Key("http", checks.flag, "False for a worker, which serves nothing.", {"type": "boolean"}),
        *MANIFEST,
    ),
    "bus": (
        Key("url", checks.bus_url, "Where it is: sqlite:///a/file.db, or amqp://… of a RabbitMQ."),
        Key("backing", checks.text, "The RabbitMQ of this fleet that carries it, by its name."),
    ),
    "observe": (
        Key(
            "collector",
            checks.flag,
            "False for none: spans then go where OTEL_EXPORTER_OTLP_ENDPOINT says, if anywhere.",
            {"type": "boolean"},
        ),
        Key("url", checks.web_url, "A collector that runs elsewhere, for OTLP over HTTP."),
        Key("console", checks.flag, "False for no console.", {"type": "boolean"}),
        Key("port", _port, "The console's port; by default one is chosen and kept.", _PORT),
        Key(
            "keep_mib",
            checks.whole(16, 1 << 20),
            "MiB of spans that the collector keeps; by default 1024.",
            {"type": "integer", "minimum": 16, "maximum": 1 << 20},
        ),
    ),
    "journeys": (
        Key("path", checks.text, "The folder or file they are in; by default journeys."),
        Key("probe", checks.flag, "True to run them on their schedules.", {"type": "boolean"}),
        Key(
            "keep",
            checks.whole(1, 10_000),
            "Runs of each that are kept; by default 100.",
            {"type": "integer", "minimum": 1, "maximum": 10_000},
        ),
        Key("owner", promises.owner, "Who is told of those that name nobody."),
        Key(
            "objectives",
            promises.of_journeys,
            "What they promise: availability in percent, latency in seconds.",
            _objectives("journey"),
        ),
    ),
    "alerts": (
        Key("webhook", checks.web_url, "Is posted every alert, as Alertmanager posts them."),
        Key("smtp", promises.smtp_url, "The mail server: smtp://host:port, or smtps://…"),
        Key("sender", promises.address, "The address that mail comes from."),
    ),
    "backings": (
        Key("kind", checks.text, "What to start: postgresql, redis or rabbitmq."),
        Key("url", checks.backing_url, "Where it runs already; nothing is started then."),
        Key("port", _port, "The port of the local one; chosen once and kept by default.", _PORT),
        Key("database", checks.database, "PostgreSQL: one database for all apps, not one each."),
    ),
}


def key_names(table: str) -> list[str]:
    return [key.name for key in TABLES[table]]


def unknown_key(table: str, name: str) -> str:
    """What to say about a key that ``table`` does not have."""
    return f"no such key{nearest(name, key_names(table))}"
