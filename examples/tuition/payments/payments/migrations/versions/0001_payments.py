"""Payments, the transfers that pay them, and the steps they take."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from skerry.data.types import UtcDateTime

revision = "0001"
down_revision = None

STATES = (
    "'awaiting_funds', 'underpaid', 'funded', 'overpaid', "
    "'converted', 'paid_out', 'expired', 'refunded'"
)
COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "payments",
        sa.Column("number", COUNTER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("reference", sa.String(25), nullable=False, unique=True),
        sa.Column("key", sa.String(255), nullable=False, unique=True),
        sa.Column("quote_id", sa.String(36), nullable=False, unique=True),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("school_id", sa.String(80), nullable=False),
        sa.Column("school_name", sa.String(200), nullable=False),
        sa.Column("payer_name", sa.String(140), nullable=False),
        sa.Column("payer_email", sa.String(254), nullable=False),
        sa.Column("student", sa.String(140), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("pay_in", sa.String(3), nullable=False),
        sa.Column("rate", sa.String(24), nullable=False),
        sa.Column("converted", sa.BigInteger, nullable=False),
        sa.Column("fee", sa.BigInteger, nullable=False),
        sa.Column("to_pay", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.Column("created", UtcDateTime, nullable=False),
        sa.Column("due", sa.Date, nullable=False),
        sa.CheckConstraint(f"state IN ({STATES})", name="state_known"),
        sa.CheckConstraint("held >= 0", name="held_not_negative"),
        sa.CheckConstraint("to_pay = converted + fee", name="to_pay_is_the_sum"),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
    )
    op.create_index("payments_open", "payments", ["due", "state"])
    op.create_table(
        "transfers",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column(
            "payment_id", sa.String(36), sa.ForeignKey("payments.id"), nullable=False, index=True
        ),
        sa.Column("reference", sa.String(25), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("booked", sa.Date, nullable=False),
        sa.Column("sender", sa.String(140), nullable=False),
        sa.CheckConstraint("amount > 0", name="transfer_positive"),
    )
    op.create_table(
        "steps",
        sa.Column("number", COUNTER, primary_key=True, autoincrement=True),
        sa.Column("payment_id", sa.String(36), sa.ForeignKey("payments.id"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("amount", sa.BigInteger),
        sa.Column("currency", sa.String(3)),
        sa.Column("event_id", sa.String(36), unique=True),
        sa.Column("event", sa.LargeBinary),
        sa.Column("announced", UtcDateTime),
        sa.UniqueConstraint("payment_id", "position"),
    )
    op.create_index("steps_to_announce", "steps", ["announced", "number"])


def downgrade() -> None:
    for table in ("steps", "transfers", "payments"):
        op.drop_table(table)
