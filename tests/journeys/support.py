"""A small shop, in this process or behind a socket, and journeys through it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from skerry import App, Context, Problem, Reply, current, html, redirect
from skerry.app.serve import Server
from skerry.core.wire import Response


class Order(Struct):
    id: str
    state: str


class NewOrder(Struct):
    what: str


class SoldOut(Problem, status=409):
    """There is none left."""


class Shop:
    """An app ``shop`` that remembers who called it, and the app object itself."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Context]] = []
        self.orders: dict[str, int] = {}
        self.app = app = App("shop")

        @app.post("/orders", status=201, raises=[SoldOut])
        async def create_order(new: NewOrder) -> Order:
            self.note("create_order")
            if new.what == "nothing":
                raise SoldOut(detail="Nothing is sold out.")
            self.orders[new.what] = 0
            return Order(new.what, "new")

        @app.get("/orders/{id}")
        async def get_order(id: str) -> Order:
            """Paid when it has been looked at three times."""
            self.note("get_order")
            self.orders[id] += 1
            return Order(id, "paid" if self.orders[id] > 2 else "new")

        @app.delete("/orders/{id}")
        async def delete_order(id: str) -> None:
            self.note("delete_order")
            self.orders.pop(id, None)

        @app.get("/", media_type="text/html")
        async def front_page() -> Response:
            self.note("front_page")
            return html("<title>Shop</title><h1>Shop</h1><a href='/basket'>Basket</a>")

        @app.get("/basket", media_type="text/html")
        async def basket() -> Response:
            self.note("basket")
            return html("<title>Basket</title>")

        @app.get("/old")
        async def old() -> Response:
            return redirect("/cookie?from=old")

        @app.get("/cookie")
        async def cookie() -> Reply[str]:
            return Reply("set", {"set-cookie": "tenant=harbour; Path=/"})

    def note(self, what: str) -> None:
        self.seen.append((what, current()))

    def contexts(self, what: str) -> list[Context]:
        return [context for name, context in self.seen if name == what]


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """``app`` behind a socket, for the length of a block; its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = Server(app, [listening], 1.0)
    await server.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        await server.stop()


def write(folder: Path, name: str, text: str) -> Path:
    """A file of journeys; what it needs of Skerry is imported already."""
    import textwrap

    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    head = "from skerry import DynamicClient, Http, Run, eventually, journey, step\n"
    file.write_text(head + textwrap.dedent(text))
    return file
