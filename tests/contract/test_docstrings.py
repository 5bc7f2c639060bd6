from __future__ import annotations

from inspect import cleandoc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Struct

from skerry.contract.docstrings import Doc, describe, split
from skerry.contract.schema import schema_of

GOOGLE = cleandoc(
    """A price.

    Attributes:
        rate: what is charged: the reference rate
            and a margin.
        day (date): of the rate.
        __note: of nobody's.

    Holds for a while.
    """
)
NUMPY = cleandoc(
    """A price.

    Attributes
    ----------
    rate : Decimal
        What is charged: the reference rate
        and a margin.
    day
        Of the rate.

    Notes
    -----
    Holds for a while.
    """
)


def test_googles_way() -> None:
    text, said = split(GOOGLE, {"rate", "day", "other"})
    assert said == {
        "rate": "what is charged: the reference rate and a margin.",
        "day": "of the rate.",
    }
    assert text == cleandoc(
        """A price.

        Attributes:
            __note: of nobody's.

        Holds for a while.
        """
    )


def test_numpys_way() -> None:
    text, said = split(NUMPY, {"rate", "day"})
    assert said == {
        "rate": "What is charged: the reference rate and a margin.",
        "day": "Of the rate.",
    }
    assert text == "A price.\n\nNotes\n-----\nHolds for a while."


@pytest.mark.parametrize(
    "text", ["", "Attributes:", "Attributes: two of them.", "x\n\nMembers:\n  - a"]
)
def test_what_is_no_section_stays(text: str) -> None:
    assert split(text, {"a"}) == (text, {})


@given(st.lists(st.sampled_from(["    a: x", "    b: y", "        z", "  w", "", "v", "    -"])))
def test_nothing_is_lost(lines: list[str]) -> None:
    text = cleandoc("\n".join(["Attributes:", *lines]))
    rest, said = split(text, {"b"})
    found = [*rest.split(), *(word for one in said.values() for word in one.split())]
    for word in ("a:", "x", "y", "w", "v", "-"):
        assert (word in found) == (word in text.split())


def test_a_schema_has_it_where_it_belongs() -> None:
    class Price(Struct):
        """A price.

        Attributes:
            rate: what is charged.
        """

        rate: float

    found = schema_of(Price)["$defs"]["Price"]
    assert found["description"] == "A price."
    assert found["properties"]["rate"] == {"type": "number", "description": "what is charged."}


QUOTE = Doc(
    "Make a quote that is locked for a while.",
    "The rate is that of the day.\n\nAnd more.",
    {"amount": "in the payer's currency: two digits after the point.", "school": "its id."},
    "The quote, once it is locked.",
)


@pytest.mark.parametrize(
    "text",
    [
        """Make a quote that
        is locked for a while.

        The rate is that of the day.

        Args:
            amount (Decimal, optional): in the payer's currency:
                two digits after the point.
            school: its id.
            rates:

        Returns:
            The quote, once it
            is locked.

        Raises:
            ValueError: never.

        And more.
        """,
        """Make a quote that is locked for a while.
        The rate is that of the day.

        And more.

        Parameters
        ----------
        amount : Decimal, optional
            in the payer's currency:
            two digits after the point.
        school
            its id.

        Returns
        -------
        Quote
            The quote, once it is locked.

        Raises
        ------
        ValueError
            Never.
        """,
        """Make a quote that is locked for a while.

        The rate is that of the day.

        :param Decimal amount: in the payer's currency:
            two digits after the point.
        :type amount: Decimal
        :param school: its id.
        :returns: The quote, once it is locked.
        :raises ValueError: never.

        And more.
        """,
    ],
    ids=["google", "numpy", "sphinx"],
)
def test_what_a_function_says(text: str) -> None:
    assert describe(text) == QUOTE


def test_what_a_function_does_not_say() -> None:
    assert describe(None) == describe("") == Doc()
    assert describe("A line") == Doc("A line")
    assert describe("A line\n\nArgs:\n\nmore") == Doc("A line", "Args:\n\nmore")
    assert describe("\nArgs:\n    a: b") == Doc(parameters={"a": "b"})
    assert describe("A line.\n\nExample:\n    code") == Doc("A line.", "Example:\n    code")


@example(["Args:", "Returns", "-----", "Args:", "    a: x", "-----"])
@given(
    st.lists(st.sampled_from(["Args:", "Returns", "-----", "    a: x", "b : y", ":return: z", ""]))
)
def test_any_text_is_taken_apart(lines: list[str]) -> None:
    found = describe("\n".join(["First.", *lines, "", "Last."]))
    assert found.summary == "First."
    assert "Args:\n    a" not in found.description
