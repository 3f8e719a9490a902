"""Entries of an account by the time of booking, in the order of its statements."""

from __future__ import annotations

from alembic import op

from service_kit.postgres.online_ddl import build_index, drop_index

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Creates the index beside running bookings, then drops the one by number.

    The previous release reads statements by number; it finds them by the new index, which begins with the account.
    """
    build_index("ix_ledger_entry_account_id_created_at_id", "ledger_entry", ["account_id", "created_at", "id"])
    drop_index("ix_ledger_entry_account_id_id", "ledger_entry")


def downgrade() -> None:
    """Puts the index by number back."""
    op.create_index("ix_ledger_entry_account_id_id", "ledger_entry", ["account_id", "id"], unique=False)
    op.drop_index("ix_ledger_entry_account_id_created_at_id", table_name="ledger_entry")
