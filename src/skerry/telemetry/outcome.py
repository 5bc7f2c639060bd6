"""The ways a call can end: a small fixed set, so that counting by it stays cheap."""

from __future__ import annotations

from skerry.core.errors import Problem

ERROR = 6
"""The call raised instead of answering."""

CANCELLED = 7
"""Its caller gave it up."""

OUTCOMES = ("", "1xx", "2xx", "3xx", "4xx", "5xx", "error", "cancelled")
"""Names by number; an answer's number is the first digit of its status."""

_GROUPS = {"4xx": "client_error", "5xx": "error", "error": "error", "cancelled": "cancelled"}


def group_of(outcome: str) -> str:
    """``ok``, ``client_error``, ``error`` or ``cancelled``: what a person first wants to know."""
    return _GROUPS.get(outcome, "ok")


def outcome_of(error: BaseException) -> int:
    """How a call ended that raised ``error``; a problem is an answer like any other."""
    return error.status // 100 if isinstance(error, Problem) else ERROR
