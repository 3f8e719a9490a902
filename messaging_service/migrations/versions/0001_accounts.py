"""Accounts and their ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "account",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), server_default="postpaid", nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column("posted", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False),
        sa.Column("held", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False),
        sa.Column("credit_limit", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "mode <> 'prepaid' OR posted - held >= -credit_limit", name=op.f("ck_account_prepaid_within_limit")
        ),
        sa.CheckConstraint("mode IN ('postpaid', 'prepaid')", name=op.f("ck_account_mode")),
        sa.CheckConstraint("status IN ('active', 'suspended', 'closed')", name=op.f("ck_account_status")),
        sa.CheckConstraint("credit_limit >= 0", name=op.f("ck_account_credit_limit_not_negative")),
        sa.CheckConstraint("held >= 0", name=op.f("ck_account_held_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "ledger_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("attempt", sa.SmallInteger(), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "kind <> 'charge' OR (amount <= 0 AND message_id IS NOT NULL)",
            name=op.f("ck_ledger_entry_charge_of_a_message"),
        ),
        sa.CheckConstraint("kind IN ('charge', 'refund', 'top_up', 'adjustment')", name=op.f("ck_ledger_entry_kind")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_ledger_entry_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entry")),
        sa.UniqueConstraint("message_id", "attempt", "kind", name=op.f("uq_ledger_entry_message_id_attempt_kind")),
    )
    op.create_index("ix_ledger_entry_account_id_id", "ledger_entry", ["account_id", "id"], unique=False)


def downgrade() -> None:
    """Drops the tables with all that they hold."""
    op.drop_table("ledger_entry")
    op.drop_table("account")
