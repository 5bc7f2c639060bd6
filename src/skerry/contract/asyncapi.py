"""An AsyncAPI 3.0 document from a contract: the events that an app sends and receives.

A channel is a topic, under its address; a message is an event of one version, named
``payments.settled.v1``. The types are described as those of endpoints are, in the same words but
for those of ``draft7``, so that what both documents speak of is recognised as one. AsyncAPI has no
word for what orders messages: ``x-key`` is the place of the key in the payload, written as AsyncAPI
writes such places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from . import docstrings, pointer, shape
from .draft7 import draft7
from .naming import title_of
from .operation import Contract, Event
from .reader import shape_of
from .schema import Schema, Schemas, docstring_of

_PAYLOAD = "$message.payload"


def document(contract: Contract) -> dict[str, Any]:
    """The AsyncAPI 3.0 document of a contract. The same contract gives the same document.

    Raises:
        ConfigError: a type in it cannot be carried by JSON.
    """
    return _Writer(contract).document()


class _Writer:
    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        received = (event for reception in contract.receives for event in reception.events)
        self._events: dict[Event, str] = {}
        for event in (*contract.sends, *received):
            self._events.setdefault(event, self._id(event))
        self._schemas = Schemas([event.type for event in self._events])

    def _id(self, event: Event) -> str:
        """An event's own name, or one that tells it from another class for the same event."""
        known = self._events.values()
        found, number = event.name, 2
        while found in known:
            found, number = f"{event.name}-{number}", number + 1
        return found

    def document(self) -> dict[str, Any]:
        contract = self._contract
        info = {"title": contract.name, "version": contract.version}
        if contract.description:
            info["description"] = contract.description
        channels: dict[str, dict[str, Any]] = {}
        for event, name in self._events.items():
            channel = channels.setdefault(event.topic, {"address": event.topic, "messages": {}})
            channel["messages"][name] = {"$ref": f"#/components/messages/{name}"}
        return {
            "asyncapi": "3.0.0",
            "info": info,
            "defaultContentType": "application/json",
            "channels": dict(sorted(channels.items())),
            "operations": self._operations(),
            "components": {
                "schemas": {
                    name: draft7(made) for name, made in self._schemas.components().items()
                },
                "messages": {
                    name: self._message(event)
                    for event, name in sorted(self._events.items(), key=lambda item: item[1])
                },
                "messageTraits": {"context": _CONTEXT},
            },
        }

    def _operations(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for topic, events in _by_topic(self._contract.sends):
            made[f"send.{topic}"] = self._operation("send", topic, events)
        for reception in self._contract.receives:
            said = {"summary": reception.summary, "description": reception.description}
            texts = {key: text for key, text in said.items() if text}
            for topic, events in _by_topic(reception.events):
                operation = self._operation("receive", topic, events)
                made[f"receive.{reception.name}.{topic}"] = operation | texts
        return dict(sorted(made.items()))

    def _operation(self, action: str, topic: str, events: list[Event]) -> dict[str, Any]:
        channel = f"#/channels/{topic}"
        messages = [{"$ref": f"{channel}/messages/{self._events[event]}"} for event in events]
        return {"action": action, "channel": {"$ref": channel}, "messages": messages}

    def _message(self, event: Event) -> dict[str, Any]:
        made: dict[str, Any] = {"name": event.name, "title": title_of(event.type)}
        said = docstrings.describe(docstring_of(event.type))
        if said.summary:
            made["summary"] = said.summary
        made["traits"] = [{"$ref": "#/components/messageTraits/context"}]
        made["contentType"] = "application/json"
        made["payload"] = draft7(self._schemas.of(event.type))
        if event.key:
            made["x-key"] = f"{_PAYLOAD}{_place(event.type, event.key)}"
        return made


_CONTEXT: Schema = {
    "headers": {
        "type": "object",
        "properties": {
            "traceparent": {
                "type": "string",
                "description": "The trace that it was published in (W3C Trace Context).",
            },
            "tracestate": {
                "type": "string",
                "description": "What tracing systems add to that.",
            },
            "baggage": {
                "type": "string",
                "description": "What its handlers are to know of the work it is part of "
                "(W3C Baggage).",
            },
        },
    }
}


def _by_topic(events: Iterable[Event]) -> list[tuple[str, list[Event]]]:
    found: dict[str, list[Event]] = {}
    for event in dict.fromkeys(events):
        found.setdefault(event.topic, []).append(event)
    return sorted(found.items())


def _place(type: Any, key: str) -> str:
    """Where a key is on the wire, of which the declaration names the attributes."""
    found = "#"
    at: list[shape.Shape] = [shape_of(type)]
    for name in key.split("."):
        wire, inner = next(_members(at, name), (name, None))
        found = pointer.join(found, wire)
        at = [] if inner is None else [shape.bare(arm) for arm in shape.arms_of(inner)]
    return found


def _members(at: Iterable[shape.Shape], name: str) -> Iterator[tuple[str, shape.Shape | None]]:
    for one in at:
        if isinstance(one, shape.Record):
            yield from ((field.key, field.shape) for field in one.fields if field.name == name)
        elif isinstance(one, shape.Model):
            info = getattr(one.type, "model_fields", {}).get(name)
            if info is not None:
                yield info.alias or name, None
