"""Handlers that write with Django's ORM: once, however often their events are delivered."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from skerry import Attempt, ConfigError, once_with
from skerry.bus.attempt import Held
from skerry.bus.driver import Delivery

# What docs/bus.md shows, in one file.
SHOP = """
import asyncio, sys
import django
from django.conf import settings
from msgspec import Struct

database = {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1], "OPTIONS": {"timeout": 30}}
settings.configure(DATABASES={"default": database})
django.setup()
from django.db import close_old_connections, connection, migrations, models, transaction
from skerry import App, Attempt, TestClient, event, once_with, publish_with
from skerry.bus.driver import Driver
from skerry.bus.memory import Broker, Memory
from skerry.data.schema import statements

class Booking(models.Model):
    payment = models.TextField()
    class Meta:
        app_label = "shop"

@event("payments.settled", key="id")
class Settled(Struct):
    id: str

@event("shop.booked", key="id")
class Booked(Struct):
    id: str

app = App("shop")
app.publishes(Settled, Booked)
failing = {"p2"}

@app.on(Settled)
def book(settled: Settled, attempt: Attempt) -> None:
    close_old_connections()
    with transaction.atomic():
        if once_with(connection, attempt):
            Booking.objects.create(payment=settled.id)
            publish_with(connection, Booked(settled.id))
            if settled.id in failing:
                failing.discard(settled.id)
                raise RuntimeError("after it has been written")

def prepare():
    with connection.schema_editor() as editor:
        editor.create_model(Booking)
        for operation in [migrations.RunSQL(statements("sqlite"))]:
            operation.database_forwards("shop", editor, None, None)

def seen():
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM skerry_inbox")
        states = [state for (state,) in cursor.fetchall()]
        cursor.execute("SELECT body FROM skerry_outbox ORDER BY seq")
        bodies = [bytes(body).decode() for (body,) in cursor.fetchall()]
    payments = [each.payment for each in Booking.objects.order_by("id")]
    print(sorted(payments), sorted(states), sorted(bodies))

async def main():
    await asyncio.to_thread(prepare)
    broker = Broker()
    async with TestClient(app, overrides={Driver: Memory(broker)}) as client:
        driver = Memory(broker)
        from skerry.bus.message import Message, new_id
        for id in ("p1", "p2"):
            message = Message(new_id(), "payments.settled", 1, b'{"id":"%s"}' % id.encode(), id)
            await driver.publish([message, message])
        while any(queue.entries for queue in broker.queues.values()):
            await asyncio.sleep(0.02)
    await asyncio.to_thread(seen)

asyncio.run(asyncio.wait_for(main(), 60))
"""


def test_django(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SHOP, tmp_path / "shop.db"],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ran.stdout == ("""['p1', 'p2'] ['done', 'done'] ['{"id":"p1"}', '{"id":"p2"}']\n"""), (
        ran.stderr
    )


def test_an_app_with_a_database_is_told_that_it_needs_none_of_it() -> None:
    attempt = Attempt(cast(Delivery, SimpleNamespace(message=None, attempt=1)), None, "shop.book")
    attempt.holds(cast(Held, object()))
    with pytest.raises(ConfigError, match=r"shop\.book: this app has a Database; ask for its"):
        once_with(sqlite3.connect(":memory:"), attempt)
