"""What the tests of clients share: a fake app, and modules generated from a document."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from skerry.clients.files import write_client
from skerry.core.wire import Headers, Request, Response, read_all

TORTURE = Path(__file__).with_name("torture.yaml")


class FakeApp:
    """Answers what it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[Response] = []

    def answer(
        self, body: Any = None, status: int = 200, media_type: str = "application/json"
    ) -> FakeApp:
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        headers = Headers.of({"content-type": media_type}) if raw else Headers()
        self.answers.append(Response(status, headers, raw))
        return self

    async def __call__(self, request: Request, /) -> Response:
        request.body = await read_all(request.body)
        self.requests.append(request)
        return self.answers.pop(0)

    @property
    def last(self) -> Request:
        return self.requests[-1]


def document(
    paths: Mapping[str, Any] | None = None,
    schemas: Mapping[str, Any] | None = None,
    version: str = "3.1.0",
) -> dict[str, Any]:
    """The smallest document around some paths and schemas."""
    return {
        "openapi": version,
        "info": {"title": "Things", "version": "1"},
        "paths": dict(paths or {}),
        "components": {"schemas": dict(schemas or {})},
    }


def getting(schema: Any, name: str = "get_thing") -> dict[str, Any]:
    """A path with one operation that answers with ``schema``."""
    content = {"application/json": {"schema": schema}}
    responses = {"200": {"description": "", "content": content}}
    return {"/thing": {"get": {"operationId": name, "responses": responses}}}


def load_module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"generated_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def generated(source: Any, folder: Path, name: str = "things", **options: Any) -> ModuleType:
    """The module of a document, written and imported."""
    path = folder / f"{name}.py"
    write_client(source, path, name, **options)
    return load_module(path)


def decodes(module: ModuleType, name: str) -> Callable[[bytes], Any]:
    from skerry.clients.oneof import decoder_of

    decoder: Callable[[bytes], Any] = decoder_of(getattr(module, name))
    return decoder
