"""Entries, postings, balances, and the triggers that keep them true."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from skerry.data.types import UtcDateTime

revision = "0001"
down_revision = None

ACCOUNTS = "'bank', 'unallocated', 'client_funds', 'schools_payable', 'fx_position', 'fees'"
COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")

UNBALANCED = """
    SELECT 1 FROM postings WHERE entry_number = NEW.number
    GROUP BY currency HAVING sum(units) <> 0
"""
EMPTY = "NOT EXISTS (SELECT 1 FROM postings WHERE entry_number = NEW.number)"

SQLITE = [
    f"""
    CREATE TRIGGER entries_balance BEFORE UPDATE ON entries
    WHEN NEW.sealed AND (EXISTS ({UNBALANCED}) OR {EMPTY})
    BEGIN SELECT RAISE(ABORT, 'the entry does not balance'); END
    """,
    """
    CREATE TRIGGER entries_start_open BEFORE INSERT ON entries WHEN NEW.sealed
    BEGIN SELECT RAISE(ABORT, 'an entry is sealed after it has its postings'); END
    """,
    *(
        f"""
        CREATE TRIGGER entries_stay_{verb.lower()} BEFORE {verb} ON entries WHEN OLD.sealed
        BEGIN SELECT RAISE(ABORT, 'a sealed entry never changes'); END
        """
        for verb in ("UPDATE", "DELETE")
    ),
    *(
        f"""
        CREATE TRIGGER postings_stay_{verb.lower()}_{row.lower()} BEFORE {verb} ON postings
        WHEN (SELECT sealed FROM entries WHERE number = {row}.entry_number)
        BEGIN SELECT RAISE(ABORT, 'a sealed entry never changes'); END
        """
        for verb, row in (
            ("INSERT", "NEW"),
            ("UPDATE", "NEW"),
            ("UPDATE", "OLD"),
            ("DELETE", "OLD"),
        )
    ),
]

POSTGRESQL = [
    f"""
    CREATE FUNCTION check_entry() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            IF NEW.sealed THEN
                RAISE check_violation
                    USING MESSAGE = 'an entry is sealed after it has its postings';
            END IF;
            RETURN NEW;
        END IF;
        IF OLD.sealed THEN
            RAISE check_violation USING MESSAGE = 'a sealed entry never changes';
        END IF;
        IF TG_OP = 'DELETE' THEN
            RETURN OLD;
        END IF;
        IF NEW.sealed AND (EXISTS ({UNBALANCED}) OR {EMPTY}) THEN
            RAISE check_violation USING MESSAGE = 'the entry does not balance';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE FUNCTION check_posting() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (
            SELECT 1 FROM entries WHERE sealed AND (
                (TG_OP <> 'DELETE' AND number = NEW.entry_number)
                OR (TG_OP <> 'INSERT' AND number = OLD.entry_number)
            )
        ) THEN
            RAISE check_violation USING MESSAGE = 'a sealed entry never changes';
        END IF;
        IF TG_OP = 'DELETE' THEN
            RETURN OLD;
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER entries_checked BEFORE INSERT OR UPDATE OR DELETE ON entries
    FOR EACH ROW EXECUTE FUNCTION check_entry()
    """,
    """
    CREATE TRIGGER postings_checked BEFORE INSERT OR UPDATE OR DELETE ON postings
    FOR EACH ROW EXECUTE FUNCTION check_posting()
    """,
    # A transaction cannot leave an entry open either: nobody would notice that it counts.
    """
    CREATE FUNCTION check_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT 1 FROM entries WHERE number = NEW.number AND NOT sealed) THEN
            RAISE check_violation USING MESSAGE = 'the entry was left open';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER entries_sealed AFTER INSERT ON entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_sealed()
    """,
]


def upgrade() -> None:
    op.create_table(
        "entries",
        sa.Column("number", COUNTER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False, index=True),
        sa.Column("booked", UtcDateTime, nullable=False),
        sa.Column("sealed", sa.Boolean, nullable=False),
    )
    op.create_table(
        "postings",
        sa.Column("id", COUNTER, primary_key=True, autoincrement=True),
        sa.Column(
            "entry_number", COUNTER, sa.ForeignKey("entries.number"), nullable=False, index=True
        ),
        sa.Column("account", sa.String(20), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.CheckConstraint(f"account IN ({ACCOUNTS})", name="account_known"),
        sa.CheckConstraint("units <> 0", name="units_not_zero"),
    )
    op.create_index("postings_by_account", "postings", ["account", "currency"])
    op.create_table(
        "balances",
        sa.Column("account", sa.String(20), primary_key=True),
        sa.Column("currency", sa.String(3), primary_key=True),
        sa.Column("units", sa.BigInteger, nullable=False),
    )
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    for table in ("balances", "postings", "entries"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for function in ("check_entry", "check_posting", "check_sealed"):
            op.execute(f"DROP FUNCTION {function}")
