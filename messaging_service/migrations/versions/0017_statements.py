"""Entries of an account by the time of booking, in the order of its statements."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Creates the index, in one pass over the table, which takes no entries meanwhile, and drops the one by number."""
    # Not CONCURRENTLY: that would wait for the other replicas, which wait for this migration.
    op.create_index(
        "ix_ledger_entry_account_id_created_at_id", "ledger_entry", ["account_id", "created_at", "id"], unique=False
    )
    op.drop_index("ix_ledger_entry_account_id_id", table_name="ledger_entry")


def downgrade() -> None:
    """Puts the index by number back."""
    op.create_index("ix_ledger_entry_account_id_id", "ledger_entry", ["account_id", "id"], unique=False)
    op.drop_index("ix_ledger_entry_account_id_created_at_id", table_name="ledger_entry")
