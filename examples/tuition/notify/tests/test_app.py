"""Notify, with payments and the mail server played by the tests."""

from __future__ import annotations

import smtplib
from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notify.app import app
from notify.clients.payments import FundsReturned, Parties, PaymentConverted, PaymentSettled
from notify.letters import Event, letters
from notify.post import Post

from skerry import ConfigError, ConnectError, eventually
from skerry.app.testclient import TestClient
from skerry.bus.driver import Driver
from skerry.bus.event import event_type
from skerry.bus.memory import Broker, Memory
from skerry.bus.message import Message, compose

P = "00000000-0000-0000-0000-000000000001"


def parties(payer: str = "Aylin Kaya", school: str = "Tuscia") -> Parties:
    return Parties(
        reference="RF18539007547034",
        payer_name=payer,
        payer_email="aylin@example.org",
        student="Deniz Kaya",
        school_id="unitus-it",
        school_name=school,
    )


def converted() -> PaymentConverted:
    return PaymentConverted(
        payment_id=P,
        parties=parties(),
        pay_in="JPY",
        converted=Decimal(202_130),
        fee=Decimal(642),
        currency="EUR",
        amount=Decimal("1250.00"),
    )


def settled(**who: str) -> PaymentSettled:
    return PaymentSettled(
        payment_id=P, parties=parties(**who), currency="EUR", amount=Decimal("1250.00")
    )


def returned() -> FundsReturned:
    return FundsReturned(payment_id=P, parties=parties(), currency="JPY", amount=Decimal(28))


class FakePost(Post):
    """A mail server that takes everything, unless told otherwise."""

    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []
        self.down = False
        self.refuses = 0

    def send(self, letters: Iterable[EmailMessage]) -> None:
        if self.down:
            raise ConnectError("nobody there", app="smtp")
        self.sent += letters
        if self.refuses:
            self.refuses -= 1
            raise smtplib.SMTPServerDisconnected("gone half way")


@pytest.fixture
def post() -> FakePost:
    return FakePost()


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def client(broker: Broker, post: FakePost) -> AsyncIterator[TestClient]:
    async with TestClient(app, overrides={Driver: Memory(broker), Post: post}) as client:
        yield client


async def publish(broker: Broker, *events: Any) -> list[Message]:
    messages = [compose(event_type(type(event)), event, source="test") for event in events]
    await Memory(broker).publish(messages)
    return messages


async def sent(post: FakePost, count: int) -> list[EmailMessage]:
    async def so() -> list[EmailMessage]:
        assert len(post.sent) == count
        return post.sent

    return await eventually(so, within=30)


async def test_payers_and_schools_are_told(
    client: TestClient, broker: Broker, post: FakePost
) -> None:
    await publish(broker, converted(), settled(), returned())
    found = {str(mail["subject"]): mail for mail in await sent(post, 4)}
    assert sorted(found) == [
        "EUR 1250.00 for Deniz Kaya",
        "Money is on its way back to you (RF18539007547034)",
        "The school has been paid (RF18539007547034)",
        "Your money is here (RF18539007547034)",
    ]
    assert str(found["EUR 1250.00 for Deniz Kaya"]["to"]) == "tuition-unitus-it@schools.example"
    assert "JPY 202772" in found["Your money is here (RF18539007547034)"].get_content()
    assert len({mail["message-id"] for mail in found.values()}) == 4


async def test_what_is_sent_again_is_known_for_it(
    client: TestClient, broker: Broker, post: FakePost
) -> None:
    post.refuses = 1
    (message,) = await publish(broker, settled())
    mails = await sent(post, 4)
    assert {mail["message-id"] for mail in mails} == {
        f"<{message.id}.payer@skerry.example>",
        f"<{message.id}.school@skerry.example>",
    }


async def test_while_the_mail_server_is_away_no_attempt_is_burned(
    client: TestClient, broker: Broker, post: FakePost
) -> None:
    post.down = True
    await publish(broker, converted())

    async def waits() -> bool:
        (queue,) = await Memory(broker).queues(["notify.write"])
        return queue.delayed == 1

    await eventually(waits, within=30)
    post.down = False
    await sent(post, 1)


def test_nobody_at_the_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SKERRY_CONTROL", str(tmp_path / "control.sock"))
    monkeypatch.delenv("SMTP_URL", raising=False)
    with pytest.raises(ConnectError):
        Post().send([])  # mailbox has written nothing down
    with pytest.raises(ConnectError):
        Post("smtp://127.0.0.1:1").send([])
    for wrong in ("127.0.0.1:25", "http://localhost", "smtp://"):
        with pytest.raises(ConfigError, match="SMTP_URL"):
            Post(wrong)


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=140).filter(
    str.strip
)


@given(NAMES, NAMES)
def test_whatever_people_are_called_a_mail_can_be_written(payer: str, school: str) -> None:
    event: Event = settled(payer=payer, school=school)
    for mail in letters(event, "e1"):
        assert b"\r\n" not in mail.as_bytes().partition(b"\n\n")[0].replace(b"\r\n ", b"")
        assert str(mail["message-id"]).startswith("<e1.")
