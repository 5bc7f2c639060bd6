"""What a span says, in OpenTelemetry's words: what its slots hold becomes attributes here, when it
is sent, and not while a request waits."""

from __future__ import annotations

from typing import Any

from .redaction import path_of, without_secrets
from .spans import Span

SCOPE, SCOPE_VERSION = "otel.scope.name", "otel.scope.version"
"""Who recorded a span, among its ``fixed``; by default we did."""

PROBLEM = "skerry.problem"
"""What a declared problem said."""


def attributes_of(span: Span) -> dict[str, Any]:
    """All but ``fixed``."""
    found: dict[str, Any] = {}
    if span.path:
        found["url.path"] = path_of(span.fixed.get("http.route", ""), span.path)
    if span.status:
        found["http.response.status_code"] = span.status
    if span.error:
        found["error.type"] = span.error
    if span.attributes is not None:
        found |= span.attributes
        if PROBLEM in found:
            found[PROBLEM] = without_secrets(found[PROBLEM])
    return found


def scope_of(span: Span) -> tuple[str, str]:
    """Name and version of what recorded it."""
    fixed = span.fixed
    if SCOPE not in fixed:
        return "skerry", ""
    return fixed[SCOPE], fixed.get(SCOPE_VERSION, "")


def status_of(span: Span) -> int:
    """0 for nothing said, 1 for well, 2 for an error."""
    if span.verdict is not None:
        return span.verdict[0]
    return 2 if span.failed else 0


def message_of(span: Span) -> str:
    """Why it failed, in a sentence where there is one."""
    if span.verdict is not None and span.verdict[1]:
        return without_secrets(span.verdict[1])
    for _, name, attributes in reversed(span.events or ()):
        if name == "exception":
            return str(attributes.get("exception.message") or span.error)
    said = (span.attributes or {}).get(PROBLEM)
    return without_secrets(str(said or span.error))
