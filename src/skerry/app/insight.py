"""What a running app tells of itself to whoever looks on: its stacks, and how they are doing."""

from __future__ import annotations

from msgspec import Struct

from skerry.stack.rows import Row
from skerry.stack.state import ClientState

from .app import App


class StackView(Struct):
    """One stack, and everything that has the very same.

    Attributes:
        kind: ``server`` for endpoints, ``consumer`` for handlers, ``client`` for apps called.
        names: of those.
        rows: its slots, outermost first.
    """

    kind: str
    names: list[str]
    rows: list[Row]


class Insight(Struct):
    """One app in one process.

    Attributes:
        version: of its contract.
        clients: those that have been used.
    """

    version: str
    stacks: list[StackView]
    clients: list[ClientState]


def stacks(app: App) -> list[StackView]:
    """All stacks of an app as ``skerry stack`` shows them, equal ones together."""
    found: list[StackView] = []
    for endpoint in app.endpoints():
        name = endpoint.declaration.name
        _put(found, "server", name, app.describe(name))
    for handler in app.handlers:
        _put(found, "consumer", handler.name, app.describe_handler(handler.name))
    for peer in app.peers():
        _put(found, "client", peer, app.connector.describe(peer))
    return found


def _put(found: list[StackView], kind: str, name: str, rows: list[Row]) -> None:
    for view in found:
        if view.kind == kind and view.rows == rows:
            view.names.append(name)
            return
    found.append(StackView(kind, [name], rows))
