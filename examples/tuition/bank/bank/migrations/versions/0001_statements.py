"""Statements and transfers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from skerry.data.types import UtcDateTime

revision = "0001"
down_revision = None

COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "statements",
        sa.Column("number", COUNTER, primary_key=True, autoincrement=True),
        sa.Column("account", sa.String(34), nullable=False),
        sa.Column("name", sa.String(35), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("opening", sa.BigInteger, nullable=False),
        sa.Column("closing", sa.BigInteger, nullable=False),
        sa.Column("read", UtcDateTime, nullable=False),
        sa.UniqueConstraint("account", "name"),
    )
    op.create_table(
        "transfers",
        sa.Column("number", COUNTER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column(
            "statement_number",
            COUNTER,
            sa.ForeignKey("statements.number"),
            nullable=False,
            index=True,
        ),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.Column("booked", sa.Date, nullable=False),
        sa.Column("bank_reference", sa.String(35), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("sender", sa.String(140), nullable=False),
        sa.Column("reference", sa.String(25)),
        sa.Column("status", sa.String(16), nullable=False, index=True),
        sa.Column("payment_id", sa.String(36)),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.CheckConstraint(
            "status IN ('new', 'matched', 'unmatched', 'outgoing')", name="status_known"
        ),
        sa.CheckConstraint(
            "(status = 'matched') = (payment_id IS NOT NULL)", name="matched_to_a_payment"
        ),
    )


def downgrade() -> None:
    op.drop_table("transfers")
    op.drop_table("statements")
