from __future__ import annotations

import asyncio

from skerry.core.clock import ManualClock
from skerry.core.wire import Request, Response
from skerry.stack.rows import rows
from skerry.stack.server import ServerSettings, server_stack
from skerry.telemetry.metrics import Metrics, count


async def test_an_answer_that_came_too_late_is_counted_as_it_was_given() -> None:
    clock, metrics = ManualClock(), Metrics()

    async def endpoint(request: Request) -> Response:
        await clock.sleep(10.0)
        return Response(200)

    settings = ServerSettings(timeout=2.0)
    stack = server_stack(settings, "slow", app="quotes", metrics=metrics, clock=clock)
    task = asyncio.ensure_future(stack.build(endpoint)(Request("GET", "/slow")))
    await clock.advance(2.0)
    assert (await task).status == 504
    assert count(metrics.snapshot(), "error", kind="server", app="quotes", route="slow") == 1


def test_filters_tell_their_settings() -> None:
    stack = server_stack(ServerSettings(timeout=2.5), "slow", app="quotes", metrics=Metrics())
    assert repr(stack["deadline"].filter) == "Deadline(timeout=2.5 s)"
    assert repr(stack["observe"].filter) == "Observe(server, app='quotes')"
    assert stack["admission"].filter is None


def test_a_server_prints_like_a_client() -> None:
    stack = server_stack(ServerSettings(), "slow", app="quotes", metrics=Metrics())
    printed = rows("server", stack)
    assert [(row.role, row.below) for row in printed[:2]] == [
        ("observe", ()),
        ("deadline", ("observe",)),
    ]
    assert all(row.half == "server" and row.because for row in printed)
