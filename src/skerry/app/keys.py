"""What an app with idempotent endpoints has of their keys while it runs."""

from __future__ import annotations

import asyncio
import contextvars
from functools import partial

from skerry.core.wire import Response
from skerry.filters.idempotency import Answers, IdempotencySettings, Idempotent
from skerry.telemetry.metrics import Metrics

from .binding import is_plain
from .body import read_body
from .declare import Declaration
from .resources import Container
from .tidy import tidy


class Keys:
    """Makes the filters of its endpoints, and cleans up behind them."""

    def __init__(self, app: str, settings: IdempotencySettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._answers: Answers | None = None
        self._tasks: set[asyncio.Task[Response]] = set()
        self._cleaning: asyncio.Task[None] | None = None

    async def open(self, container: Container) -> None:
        """Have the table there is to be, in the app's ``Database``.

        Raises:
            ConfigError: it has none that is open for as long as the app runs.
        """
        from skerry.data import idempotency, schema
        from skerry.data.database import Database

        database: Database = container.instance_value(Database)
        await asyncio.to_thread(schema.migrate, database.engine)
        answers = self._answers = idempotency.Answers(database)
        clean = partial(answers.clean, self._settings.kept)
        self._cleaning = asyncio.create_task(
            tidy(self._app, "table of idempotency keys", clean), context=contextvars.Context()
        )

    def filter(self, declared: Declaration, limit: int) -> Idempotent:
        """What stands in the stack of an endpoint.

        Args:
            limit: the largest body in bytes that it reads.
        """
        return Idempotent(
            self._answers,
            self._settings,
            self._metrics,
            app=self._app,
            method=declared.method,
            path=declared.operation_path,
            required=declared.idempotent == "required",
            finishes=is_plain(declared.function),
            read=lambda request: read_body(request, limit),
            tasks=self._tasks,
        )

    async def close(self, patience: float = 1.0) -> None:
        """Wait so many seconds for work whose caller has left; its answer is worth keeping."""
        if self._cleaning is not None:
            self._cleaning.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience)
            for task in late:
                task.cancel()
