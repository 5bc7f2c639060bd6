"""What can be wrong with a case."""

from __future__ import annotations

from skerry import Problem


class CaseUnknown(Problem, status=404):
    """There is no such case."""


class CaseDecided(Problem, status=409):
    """Nobody has to decide this case, or somebody has."""

    state: str
