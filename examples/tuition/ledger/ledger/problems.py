"""What can be wrong with an entry."""

from __future__ import annotations

from skerry import Problem


class EntryUnknown(Problem, status=404):
    """There is no such entry."""


class EventChanged(Problem, status=409):
    """An entry with this id has been booked before, and was another one."""


class Unbalanced(Problem, status=422):
    """Debits and credits differ.

    Members:
        currency: the first in which they do.
        difference: debits less credits.
    """

    currency: str
    difference: str


class AmountNotPayable(Problem, status=422):
    """The currency has no such amount."""
