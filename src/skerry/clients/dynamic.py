"""A client without a file: the contract is read when it is first needed.

What it returns and raises is made by the same plan as a generated module, so that moving from
one to the other changes no line but the import::

    schools = connect(service, "schools")
    school = await schools.get_school("mit")
    school.name
"""

from __future__ import annotations

import asyncio
import difflib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from skerry.core.errors import CallError, Problem, UnexpectedResponse
from skerry.core.service import Service
from skerry.core.wire import Headers, Request, Response, read_all

from .document import DocumentError
from .generate import RESERVED
from .made import Made, make
from .operations import read
from .plan import plan
from .received import keep

PATH = "/openapi.json"


def connect(service: Service[Request, Response], app: str = "") -> DynamicClient:
    """A client with one method for each operation of the contract at ``/openapi.json``.

    Args:
        service: the app.
        app: its name, for messages.
    """
    return DynamicClient(service, app)


class DynamicClient:
    """Operations as methods, named as in a generated module: ``await client.get_school("x")``.

    Bodies may be given as dicts. ``await client.contract()`` reads the contract now and returns
    the types it has, by name. When the app answers that an operation is not there (404 or 405
    outside the contract), the contract is read again before that is believed.
    """

    def __init__(self, service: Service[Request, Response], app: str = "") -> None:
        self._service = service
        self._app = app
        self._made: Made | None = None
        self._reading: asyncio.Task[Made] | None = None

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name.startswith("_"):
            raise AttributeError(name)
        if self._made is not None:
            self._known(self._made, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._call(name, args, kwargs)

        call.__name__ = call.__qualname__ = name
        return call

    def __dir__(self) -> list[str]:
        known = self._made.operations if self._made is not None else ()
        return [*super().__dir__(), *known]

    def __repr__(self) -> str:
        return f"<a client of {self._app or 'an app'}, by the contract it has at run time>"

    async def contract(self) -> Mapping[str, Any]:
        """The models and problems of the contract, by name, read from the app again."""
        self._made = None
        return (await self._ready()).types

    async def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        made = await self._ready()
        try:
            return await self._send(made, name, args, kwargs)
        except (UnexpectedResponse, Problem) as error:
            if not _looks_gone(error):
                raise
            digest = made.digest
            if self._made is made:
                self._made = None
            fresh = await self._ready()
            if fresh.digest == digest:
                raise
        return await self._send(fresh, name, args, kwargs)

    async def _send(
        self, made: Made, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        operation = self._known(made, name)
        values = operation.bind(args, kwargs)
        response = await self._service(operation.endpoint.request(values))
        keep(response)
        return await operation.endpoint.read(response, self._app)

    def _known(self, made: Made, name: str) -> Any:
        found = made.operations.get(name)
        if found is None:
            near = difflib.get_close_matches(name, made.operations, 3, 0.5)
            hint = f"; there is {' and '.join(near)}" if near else ""
            raise AttributeError(
                f"{self._app or 'the app'} has no operation {name!r}{hint}", name=name, obj=self
            )
        return found

    async def _ready(self) -> Made:
        """What the contract makes; read once, however many calls wait for it."""
        if self._made is not None:
            return self._made
        task = self._reading
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = self._reading = asyncio.create_task(self._read())
            task.add_done_callback(self._done)
        # A caller that gives up must not take the contract from those that still wait.
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Made]) -> None:
        if self._reading is task:
            self._reading = None
        if not task.cancelled() and task.exception() is None:
            self._made = task.result()

    async def _read(self) -> Made:
        headers = Headers([(b"accept", b"application/json")])
        response = await self._service(Request("GET", PATH, headers=headers, route="openapi"))
        body = await read_all(response.body)
        if response.status != 200:
            raise self._unusable(f"answers {response.status} to {PATH}", response.status, body)
        try:
            api = read(json.loads(body), name=f"{self._app or 'the app'}{PATH}")
            return make(plan(api, self._app, reserved=RESERVED))
        except (ValueError, DocumentError, RecursionError) as error:
            raise self._unusable(f"its contract cannot be read: {error}", 200, body) from error

    def _unusable(self, detail: str, status: int, body: bytes) -> CallError:
        return UnexpectedResponse(detail, app=self._app, response_status=status, body=body)


def _looks_gone(error: UnexpectedResponse | Problem) -> bool:
    """Whether an answer may mean that the contract has moved on: the way is not there."""
    if isinstance(error, UnexpectedResponse):
        return error.response_status in (404, 405)
    return error.status == 405 or (error.status == 404 and error.type == "about:blank")
