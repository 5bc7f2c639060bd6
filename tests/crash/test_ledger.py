"""The oracle itself: it must see what is wrong, and nothing where all is well."""

from __future__ import annotations

from collections import Counter

from bench.crash.apps import NewPayment
from bench.crash.caller import Answer
from bench.crash.ledger import Effect, violations

PAYMENTS = [NewPayment("k1", "a"), NewPayment("k2", "a"), NewPayment("k3", "a", "bad")]
ANSWERS = [Answer(key, 201, f"{key} is done") for key in ("k1", "k2", "k3")]
ONE, TWO, BAD = Effect("k1", "a", 1, 1), Effect("k2", "a", 2, 1), Effect("k3", "a", 3, 1)


def found(
    payments: list[Effect] | None = None,
    booked: list[Effect] | None = None,
    audited: list[Effect] | None = None,
    answers: list[Answer] | None = None,
    dead: dict[str, int] | None = None,
) -> str:
    effects = {
        "payments": [ONE, TWO, BAD] if payments is None else payments,
        "ledger": [ONE, TWO] if booked is None else booked,
        "audit": [ONE, TWO] if audited is None else audited,
    }
    died = Counter({"k3": 1} if dead is None else dead)
    return "; ".join(violations(PAYMENTS, ANSWERS if answers is None else answers, effects, died))


def test_all_is_well() -> None:
    assert found() == ""


def test_what_was_done_twice_is_seen() -> None:
    assert "payments: k1 was done 2 times" in found(payments=[ONE, ONE, TWO, BAD])
    assert "ledger: k1 (number 1) was done 2 times" in found(booked=[ONE, ONE, TWO])
    assert "audit: k2 (number 2) was done 2 times" in found(audited=[ONE, TWO, TWO])


def test_what_was_lost_is_seen() -> None:
    assert "payments: k2 was done 0 times" in found(payments=[ONE, BAD], booked=[ONE])
    assert "ledger: k1 (number 1) was lost" in found(booked=[TWO])
    assert "audit: k2 (number 2) was lost" in found(audited=[ONE])


def test_order_is_seen() -> None:
    assert found(booked=[TWO, ONE]) == "ledger: a is out of order: [2, 1]"


def test_answers_are_seen() -> None:
    other = Answer("k1", 201, "it was another")
    assert "k1 was answered differently" in found(answers=[*ANSWERS, other])
    assert "k3 was never answered" in found(answers=ANSWERS[:2])
    assert "was answered with 422" in found(answers=[*ANSWERS, Answer("k1", 422, "no")])


def test_attempts_and_deaths_are_seen() -> None:
    assert "ledger: k1 took 5 attempts" in found(booked=[ONE._replace(attempt=5), TWO])
    assert "k3 should have died" in found(dead={})
    assert "k1 should not have died" in found(dead={"k3": 1, "k1": 1})
    assert "k3 died 9 times" in found(dead={"k3": 9})
