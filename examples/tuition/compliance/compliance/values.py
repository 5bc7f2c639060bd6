"""What compliance is asked and answers with. Amounts are decimals of the currency beside them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from compliance.models import Status

Id = Annotated[str, Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class Verdict(StrEnum):
    """What a person may decide.

    Attributes:
        RELEASE: the payment goes on.
        REJECT: the money goes back.
    """

    RELEASE = "release"
    REJECT = "reject"


class Decision(Struct, frozen=True):
    """A person's decision.

    Attributes:
        by: who decides.
        note: why; for whoever asks in five years.
    """

    verdict: Verdict
    by: Annotated[str, Meta(min_length=1, max_length=140, pattern=r"^[^\x00]*\S[^\x00]*$")]
    note: Annotated[str, Meta(max_length=500, pattern=r"^[^\x00]*$")] = ""


class Case(Struct, frozen=True):
    """One payment that has been screened.

    Attributes:
        reasons: why a person had to look.
        decided: when somebody did; absent while nobody has or had to.
    """

    payment_id: str
    status: Status
    payer_name: str
    school_name: str
    amount: Decimal
    currency: str
    reasons: list[str]
    screened: datetime
    decided: datetime | None = None
    decided_by: str = ""
    note: str = ""


class CasePage(Struct, frozen=True):
    """Some cases, oldest first.

    Attributes:
        next: give it as ``after`` for newer ones; absent at the end.
    """

    cases: list[Case]
    next: int | None = None
