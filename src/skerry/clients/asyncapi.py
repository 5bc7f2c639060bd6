"""AsyncAPI 3.0 documents into events: what whoever hears an app is to know of what it sends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote

from skerry.bus.event import event as declare
from skerry.core.errors import ConfigError

from .document import Document, Node
from .looks import name_of
from .schemas import Schemas
from .shapes import Api, Event, Named, Record, Ref

_KEY = "$message.payload#"
_JSON_SCHEMAS = ("application/schema+json", "application/vnd.aai.asyncapi")
_WITHOUT_SKERRY = "events are heard with Skerry's bus, which a module without Skerry has not"


class _Unsupported(Exception):
    """A message that is no event here, and why."""


class Events:
    """Reads the messages that an app sends; of one without operations, all that it has.

    Attributes:
        found: the events, in the document's order.
        left_out: messages that cannot be events, each with the reason.
        copies: records beside those that ``schemas`` has found: where messages share a payload,
            each event has a class of its own.
    """

    def __init__(self, document: Document, schemas: Schemas) -> None:
        self.found: list[Event] = []
        self.left_out: list[tuple[str, str]] = []
        self.copies: dict[str, Named] = {}
        self._schemas = schemas
        root = document.events
        if root is not None:
            self._read(root)

    def _read(self, root: Node) -> None:
        seen: set[tuple[str, str]] = set()
        for channel, message in _sent(root):
            if (channel.id, message.id) in seen:
                continue
            seen.add((channel.id, message.id))
            name = message.text("name") or message.key
            try:
                self.found.append(self._event(root, channel, message, name))
            except _Unsupported as error:
                self.left_out.append((name, str(error)))

    def _event(self, root: Node, channel: Node, message: Node, name: str) -> Event:
        topic = channel.value.get("address")
        if not isinstance(topic, str):
            raise _Unsupported("its channel has no address")
        said = re.fullmatch(rf"{re.escape(topic)}\.v([1-9][0-9]{{0,8}})", name)
        version = int(said[1]) if said else 1
        try:
            declare(topic, version=version)
        except ConfigError as error:
            raise _Unsupported(str(error)) from None
        if any((event.topic, event.version) == (topic, version) for event in self.found):
            raise _Unsupported(f"there is another version {version} of {topic}")
        media = message.text("contentType") or root.text("defaultContentType")
        if media and "json" not in media:
            raise _Unsupported(f"its payload is {media}, not JSON")
        description = message.prose("description") or message.prose("summary")
        return Event(
            topic, version, self._payload(message), _steps(message.prose("x-key")), description
        )

    def _payload(self, message: Node) -> str:
        """The key of the record that a message carries."""
        payload = message.step("payload")
        if payload is None:
            raise _Unsupported("it says nothing of its payload")
        if "schemaFormat" in payload.follow().object().value:
            form = payload.follow().text("schemaFormat")
            if not form.startswith(_JSON_SCHEMAS):
                raise _Unsupported(f"its payload is described as {form}")
            payload = payload.follow().child("schema")
        whole = payload.follow().object()
        if whole.value.get("properties") == {}:  # all there is to say is that it happened
            name = name_of(whole) if "$ref" in payload.value else message.key
            key = f"{whole.id} {message.id}"
            self.copies[key] = Record(name, [], whole.prose("description"))
            return key
        shape = self._schemas.read(payload, message.key)
        record = self._schemas.named.get(shape.key) if isinstance(shape, Ref) else None
        if not isinstance(shape, Ref) or not isinstance(record, Record):
            raise _Unsupported("its payload is not an object with known fields")
        if all(event.record != shape.key for event in self.found):
            return shape.key
        key = f"{shape.key} {message.id}"
        self.copies[key] = replace(record, name=message.key)
        return key


def without_events(api: Api) -> Api:
    """A contract for a module that cannot have its events."""
    missing = [(f"{event.topic}.v{event.version}", _WITHOUT_SKERRY) for event in api.events]
    return replace(api, events=[], left_out=[*api.left_out, *missing])


def _sent(root: Node) -> Iterator[tuple[Node, Node]]:
    """Channels and messages that are sent, over all references."""
    operations = [node.follow().object() for _, node in root.children("operations")]
    for operation in operations:
        if operation.text("action") != "send":
            continue
        channel = operation.child("channel")
        if "messages" not in operation.value:
            yield from _all(channel)
        for message in operation.items("messages"):
            yield channel, message.follow().object()
    if not operations:
        for _, channel in root.children("channels"):
            yield from _all(channel.follow().object())


def _all(channel: Node) -> Iterator[tuple[Node, Node]]:
    for _, message in channel.children("messages"):
        yield channel, message.follow().object()


def _steps(place: str) -> tuple[str, ...]:
    """The properties on the way to a key; none where it is not in the payload."""
    if not place.startswith(f"{_KEY}/"):
        return ()
    steps = place.removeprefix(f"{_KEY}/").split("/")
    return tuple(unquote(step).replace("~1", "/").replace("~0", "~") for step in steps)
