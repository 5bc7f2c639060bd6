from __future__ import annotations

import inspect
import pickle
import re

import pytest

from skerry.core import errors
from skerry.core.answer import answer
from skerry.core.errors import CallError, ConfigError, Problem, Retry


class CurrencyUnknown(Problem, status=422):
    """No rate is published for this currency.

    The rest of the docstring is for readers of the code.
    """

    currency: str


class Late(Problem, status=409):
    minutes: int = 0


def test_a_declared_problem_is_a_document() -> None:
    problem = CurrencyUnknown(currency="XXX", detail="XXX is not in today's list.")
    assert problem.document() == {
        "type": "urn:problem-type:currency-unknown",
        "title": "No rate is published for this currency",
        "status": 422,
        "detail": "XXX is not in today's list.",
        "currency": "XXX",
    }


def test_members_are_checked_like_arguments() -> None:
    with pytest.raises(TypeError, match="needs 'currency'"):
        CurrencyUnknown()
    with pytest.raises(TypeError, match="no member 'curency'"):
        CurrencyUnknown(currency="X", curency="X")  # type: ignore[call-arg]
    assert Late().minutes == 0
    assert Late(minutes=5).document()["minutes"] == 5


def test_a_status_that_is_no_error_is_refused() -> None:
    with pytest.raises(ConfigError, match="400 to 599"):

        class Fine(Problem, status=200):
            pass


def test_a_member_cannot_take_a_standard_name() -> None:
    with pytest.raises(ConfigError, match="'title'"):

        class Odd(Problem, status=400):
            title: str  # type: ignore[misc]


def test_it_can_be_pickled() -> None:
    problem = pickle.loads(pickle.dumps(CurrencyUnknown(currency="XXX", detail="no")))
    assert (problem.currency, problem.detail, problem.status) == ("XXX", "no", 422)


def every(cls: type) -> set[type]:
    return {cls}.union(
        *(every(sub) for sub in cls.__subclasses__() if sub.__module__ == cls.__module__)
    )


def test_the_tree_at_the_head_of_the_module_is_the_tree() -> None:
    drawn = re.findall(
        r"[├└]── (\w+) +(declared|-|\d+)? *(never|safe|repeatable)?", errors.__doc__ or ""
    )
    tree = {name: (status, retry) for name, status, retry in drawn}
    real = {cls.__name__: cls for cls in every(errors.Error) if cls.__name__[0] != "_"}
    assert set(tree) == set(real) - {"Error"}
    for name, (status, retry) in tree.items():
        cls = real[name]
        if status.isdigit():
            assert cls.status == int(status), name  # type: ignore[attr-defined]
            assert cls.retry is Retry(retry), name  # type: ignore[attr-defined]


def test_a_failed_call_is_answered_with_a_marker_not_to_retry() -> None:
    for cls in every(CallError) - {CallError}:
        response = answer(cls("it broke", app="schools"))
        assert 502 <= response.status <= 504
        assert response.headers.get("grpc-retry-pushback-ms") == "-1"
        assert b"schools: it broke" in bytes(response.body)  # type: ignore[arg-type]


def test_standard_problems_say_no_more_than_their_status() -> None:
    for cls in every(Problem) - {Problem}:
        if inspect.isabstract(cls) or cls.members:  # type: ignore[attr-defined]
            continue
        response = answer(cls())
        assert response.headers.get("content-type") == "application/problem+json"
        assert response.status == cls.status  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["document", "members", "answered_by", "add_note", "instance"])
def test_a_member_cannot_hide_what_a_problem_does(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        type("Odd", (Problem,), {"__annotations__": {name: "str"}})


def test_a_status_without_a_phrase_of_its_own_is_still_one() -> None:
    class Slow(Problem, status=499, type="about:blank"):
        """The caller has left."""

    assert Slow.title == "The caller has left"
    assert Slow().document() == {"type": "about:blank", "title": Slow.title, "status": 499}
