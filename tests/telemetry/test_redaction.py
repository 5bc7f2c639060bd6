"""What must not be seen is recognised by its name, or by its form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.telemetry.attributes import attributes_of, message_of
from skerry.telemetry.exceptions import told
from skerry.telemetry.redaction import HIDDEN, is_secret, path_of, redacted, without_secrets
from skerry.telemetry.spans import Span


@pytest.mark.parametrize(
    "name",
    [
        *("password", "passwordConfirmation", "db_pass", "PassPhrase", "client-secret", "apiKey"),
        *("X-Api-Key", "Authorization", "Proxy-Authorization", "Set-Cookie", "sessionId", "jwt"),
        *("aws_secret_access_key", "accessKeyId", "refresh_token", "X-CSRF-Token", "cardNumber"),
        *("cvv", "securityCode", "IBAN", "account_number", "pin", "user_pin", "pinCode", "otp"),
        *("DATABASE_URL", "private_key", "x-amz-signature", "credentials", "encryption_key"),
    ],
)
def test_names_that_hide(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("amount", "author", "authors", "authority", "discarded", "cardinality", "compass"),
        *("key", "id", "spinner", "shipping", "account", "session", "currency", "page"),
    ],
)
def test_names_that_do_not(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("see postgres://ann:s3cret@db/x", f"see postgres://{HIDDEN}@db/x"),
        ("GET /x?page=2&api_key=s3cret&y=1", f"GET /x?page=2&api_key={HIDDEN}&y=1"),
        ("host=db user=ann password=s3cret port=1", f"host=db user=ann password={HIDDEN} port=1"),
        ("password='s3cret and more'", f"password={HIDDEN}"),
        ('got {"token": "s3cret\\" x", "n": 1}', f'got {{"token": {HIDDEN}, "n": 1}}'),
        ("got {'pin': 1234, 'n': 1}", f"got {{'pin': {HIDDEN}, 'n': 1}}"),
        ("Authorization: Basic czNjcmV0", f"Authorization: {HIDDEN}"),
        ("a\nCookie: a=s3cret; b=2\nHost: x", f"a\nCookie: {HIDDEN}\nHost: x"),
        ("401 for Bearer s3cret.s3cret/x=", f"401 for Bearer {HIDDEN}"),
        ("bad eyJhbGciOiJI.eyJzdWIiOiIx.c2ln here", f"bad {HIDDEN} here"),
        ("Invalid token: expected a name", "Invalid token: expected a name"),
        ("author=ann, x = 1, a:b", "author=ann, x = 1, a:b"),
        ("", ""),
    ],
)
def test_text(text: str, kept: str) -> None:
    assert without_secrets(text) == kept


@given(st.text())
def test_text_without_any_is_untouched(text: str) -> None:
    plain = text.replace("=", "").replace(":", "").replace("e", "").replace("E", "")
    assert without_secrets(plain) == plain
    without_secrets(text)  # whatever it is


@pytest.mark.parametrize("unit", ["a=", '"a":', "bearer ", "eyJ.", "-eyJ-", "x://", 'k="', "\\"])
def test_long_text_takes_no_longer_than_its_length(unit: str) -> None:
    """Nothing of this looks at the same text again and again: 10 times the text would then be a
    hundred times the work, and this would not end."""
    without_secrets(unit * 200_000)
    without_secrets("a" * 400_000 + "=" + unit)


def test_parameters_of_a_path() -> None:
    template = "/users/{user}/cards/{card_number}"
    assert path_of(template, "/users/7/cards/4111") == f"/users/7/cards/{HIDDEN}"
    assert path_of("/users/{user}", "/users/7") == "/users/7"
    assert path_of(template, "/users/7") == "/users/7"
    span = Span("GET", "server", {"http.route": template}, 1, 1, 0, 0.0)
    span.path = "/users/7/cards/4111"
    assert "4111" not in str(attributes_of(span))


def test_what_an_error_says() -> None:
    try:
        raise OSError("cannot reach amqp://ann:s3cret@mq/ with password=s3cret")
    except OSError as error:
        found = told(error)
    assert "s3cret" not in str({**found, "exception.stacktrace": _said(found)})
    span = Span("x", "server", {}, 1, 1, 0, 0.0)
    span.failed, span.verdict = True, (2, "OSError: password=s3cret")
    assert message_of(span) == f"OSError: password={HIDDEN}"
    span.verdict = None
    span.set("skerry.problem", "no such token=s3cret")
    assert "s3cret" not in str(attributes_of(span)) + message_of(span)


def _said(found: dict[str, str]) -> str:
    """The stack without the line that this test is written in."""
    lines = found["exception.stacktrace"].splitlines()
    return "\n".join(line for line in lines if "raise" not in line)


def test_json() -> None:
    given = {"call": "https://x/?token=s3cret", "pins": [{"pin": 1}], "n": 1, "none": None}
    kept = redacted(given)
    assert kept == {"call": f"https://x/?token={HIDDEN}", "pins": [{"pin": HIDDEN}], "n": 1,
                    "none": None}  # fmt: skip
    assert json.loads(json.dumps(kept)) == kept
