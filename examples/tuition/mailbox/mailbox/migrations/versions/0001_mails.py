"""Mails."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from skerry.data.types import UtcDateTime

revision = "0001"
down_revision = None

COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "mails",
        sa.Column("number", COUNTER, primary_key=True, autoincrement=True),
        sa.Column("message_id", sa.String(250), nullable=False, index=True),
        sa.Column("sender", sa.String(320), nullable=False),
        sa.Column("recipient", sa.String(320), nullable=False, index=True),
        sa.Column("subject", sa.String(500), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("received", UtcDateTime, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("mails")
