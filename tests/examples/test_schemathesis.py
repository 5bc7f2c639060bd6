"""Every endpoint of the tuition fleet against its own contract, with data nobody thought of."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from skerry import App
from skerry.transport.loopback import provide, withdraw

from .conftest import APPS

WITHOUT_ENDPOINTS = ("notify",)
CHECKED = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
BOUNDED = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def addresses(
    apps: dict[str, App], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The fleet under a real server, each app at an address of its own."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("fleet"))
    sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in APPS}
    servers = [
        uvicorn.Server(uvicorn.Config(apps[name], lifespan="on", log_level="error"))
        for name in APPS
    ]

    async def serve() -> None:
        await asyncio.gather(
            *(server._serve([one]) for server, one in zip(servers, sockets.values(), strict=True))
        )

    with ExitStack() as provided:
        for name in APPS:
            provide(name, apps[name].service)
            provided.callback(withdraw, name)
        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        yield {name: f"http://127.0.0.1:{one.getsockname()[1]}" for name, one in sockets.items()}
        for server in servers:
            server.should_exit = True
        thread.join()
    os.chdir(before)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", [name for name in APPS if name not in WITHOUT_ENDPOINTS])
def test_answers_are_as_the_contract_says(
    addresses: dict[str, str], name: str, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_url(f"{addresses[name]}/openapi.json")
    # The portal's pages are for people: what its contract calls a problem is a page as well.
    wanted = CHECKED if name != "portal" else [not_a_server_error]

    def check(case: Any) -> None:
        case.call_and_validate(checks=wanted, timeout=20)

    tried = 0
    for found in schema.get_all_operations():
        cases = found.ok().as_strategy(generation_mode=mode)
        try:
            BOUNDED(given(case=cases)(check))()
        except Unsatisfiable:
            # An endpoint that takes nothing cannot be asked wrongly.
            assert mode is GenerationMode.NEGATIVE
        else:
            tried += 1
    assert tried >= 1
