"""Plain functions that ask for a ``Session``: all that they write, and their answer, or nothing.

Apart from ``endpoint``, and imported by nobody but apps that have a database, because SQLAlchemy
comes with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from skerry.core.failpoint import hit
from skerry.core.wire import Request, Response
from skerry.data.database import Database
from skerry.data.transient import write
from skerry.filters.idempotency import keyed, lasting


class Transaction:
    """A function in a transaction of its app's database, which commits before the answer leaves.

    Whatever the function raises, and an answer of 5xx (408, 425, 429), rolls it back. With an
    ``Idempotency-Key`` the answer is kept in the same transaction. Where the database refuses it
    for the sake of order, it begins again.

    Args:
        session: the name of the argument that takes it.
        respond: what makes an answer of what it returns.
    """

    def __init__(
        self,
        database: Database,
        function: Callable[..., Any],
        session: str,
        respond: Callable[[Request, Any], Any],
    ) -> None:
        self._database = database
        self._function = function
        self._session = session
        self._respond = respond

    async def __call__(self, request: Request, arguments: dict[str, Any]) -> Response:
        def work(session: Session) -> Response:
            hit("server.before_function")
            result = self._function(**arguments, **{self._session: session})
            response = self._respond(request, result)
            if not isinstance(response, Response) or not isinstance(response.body, bytes):
                raise TypeError("a transaction is over before its answer leaves: no streams")
            if not lasting(response):
                raise _RolledBack(response)
            hit("server.before_commit")
            return response

        held = keyed.get()
        try:
            if held is not None:
                response = await held.write(work)
            else:
                response = await write(self._database, work)
        except _RolledBack as over:
            return over.response
        hit("server.after_commit")
        return response


class _RolledBack(Exception):
    """There is an answer, and it is not for good."""

    def __init__(self, response: Response) -> None:
        self.response = response
