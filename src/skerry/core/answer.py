"""Errors as responses: the one place where an exception becomes RFC 9457 problem details."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from msgspec import UNSET, json

from .errors import CallError, Problem
from .wire import PROBLEM_JSON, PUSHBACK, Headers, Response


def answer(error: Problem | CallError) -> Response:
    """The response that tells a caller about ``error``.

    A ``CallError`` becomes the gateway statuses 502 to 504 and says who did not answer, with
    the marker that nobody further up is to retry: this layer was the one to do it.
    """
    if isinstance(error, Problem):
        return problem_response(error.status, error.document(), error.headers())
    response = problem_response(
        error.status,
        {
            "type": "about:blank",
            "title": HTTPStatus(error.status).phrase,
            "status": error.status,
            "detail": str(error),
        },
    )
    response.headers.raw.append((PUSHBACK, b"-1"))
    return response


def problem_response(
    status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    present = {name: value for name, value in document.items() if value is not UNSET}
    body = json.encode(present, enc_hook=str)
    raw = [(b"content-type", PROBLEM_JSON), (b"content-length", b"%d" % len(body))]
    for name, value in (headers or {}).items():
        raw.append((name.encode("latin-1"), value.encode("latin-1", "replace")))
    return Response(status, Headers(raw), body)
