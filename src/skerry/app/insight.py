"""What a running app tells of its stacks to whoever looks on."""

from __future__ import annotations

from skerry.stack.rows import Row
from skerry.stack.state import StackView

from .app import App


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
