"""Payouts and the batches they are ordered in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from skerry.data.types import UtcDateTime

revision = "0001"
down_revision = None

COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("number", COUNTER, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(35), nullable=False, unique=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("made", UtcDateTime, nullable=False),
        sa.Column("handed", UtcDateTime, index=True),
    )
    op.create_table(
        "payouts",
        sa.Column("number", COUNTER, primary_key=True, autoincrement=True),
        sa.Column("payment_id", sa.String(36), nullable=False, unique=True),
        sa.Column("status", sa.String(16), nullable=False, index=True),
        sa.Column("batch_number", COUNTER, sa.ForeignKey("batches.number"), index=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("school_id", sa.String(80), nullable=False),
        sa.Column("holder", sa.String(200), nullable=False),
        sa.Column("scheme", sa.String(20), nullable=False),
        sa.Column("account", sa.String(34), nullable=False),
        sa.Column("bank", sa.String(35), nullable=False),
        sa.Column("remittance", sa.String(200), nullable=False),
        sa.CheckConstraint("status IN ('owed', 'ordered', 'paid')", name="status_known"),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
        sa.CheckConstraint("(status = 'owed') = (batch_number IS NULL)", name="ordered_in_a_batch"),
    )


def downgrade() -> None:
    op.drop_table("payouts")
    op.drop_table("batches")
