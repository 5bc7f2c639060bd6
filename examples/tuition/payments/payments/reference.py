"""The reference a payer writes into the bank transfer: ISO 11649, ``RF`` and two check digits.

Banks around the world validate and print it, and a wrong digit is noticed. The body is twelve
digits: people read it out, type it on phones, and leave the ``RF`` away.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from stdnum.iso7064 import mod_97_10

BODY_DIGITS = 12


def make(body: str) -> str:
    """``RF`` + check digits + ``body``, which is up to 21 letters and digits."""
    return f"RF{mod_97_10.calc_check_digits(body.upper() + 'RF')}{body.upper()}"


def fresh(choose: Callable[[int], int] = secrets.randbelow) -> str:
    """A new reference that nobody can guess from another. Not guaranteed unique: the table is."""
    return make(f"{choose(10**BODY_DIGITS):0{BODY_DIGITS}d}")


def spaced(reference: str) -> str:
    """In groups of four, as the standard has it on paper."""
    return " ".join(reference[i : i + 4] for i in range(0, len(reference), 4))
