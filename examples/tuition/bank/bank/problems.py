"""What can be wrong with a statement or a transfer."""

from __future__ import annotations

from skerry import Problem


class StatementRefused(Problem, status=422):
    """The file is not a statement that can be trusted."""


class TransferUnknown(Problem, status=404):
    """There is no such transfer."""


class TransferSettled(Problem, status=409):
    """Somebody has this money already, or it left."""

    state: str


class ReferenceRefused(Problem, status=409):
    """The payment with this reference cannot have this money, or there is none."""
