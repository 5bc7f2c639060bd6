"""The daemon that writes to payers and schools.

It has no database: what it does happens elsewhere, so it can only promise that each mail is sent
at least once, and that its copies can be told for copies.
"""

from __future__ import annotations

from notify.clients.payments import FundsReturned, PaymentConverted, PaymentSettled
from notify.letters import Event, letters
from notify.post import Post
from skerry import App, Attempt

app = App("notify", version="1.0.0", description="Writes to payers and schools.")

LEASE_SECONDS = 5
"""What a crash may cost: the work of a dead instance is anybody's after that."""


@app.resource
def post() -> Post:
    return Post()


@app.on(PaymentConverted, PaymentSettled, FundsReturned, lease=LEASE_SECONDS)
def write(event: Event, attempt: Attempt, post: Post) -> None:
    """Tell those whom it concerns."""
    post.send(letters(event, attempt.id))
