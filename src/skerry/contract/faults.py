"""The refusal that a list of faults is, in one wording."""

from __future__ import annotations

from skerry.core.errors import Fault, Invalid


def invalid(faults: list[Fault]) -> Invalid:
    """A problem with all of them; its ``detail`` is the first, and how many more there are."""
    first, *more = faults
    rest = f"; and {len(more)} more" if more else ""
    return Invalid(errors=faults, detail=f"{first.pointer}: {first.detail}{rest}")
