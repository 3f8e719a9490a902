"""An index over all accounts' entries by time, for reports by booking."""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Creates the index beside running bookings; one that was begun and never finished is begun anew."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_ledger_entry_created_at")
        op.create_index(
            "ix_ledger_entry_created_at",
            "ledger_entry",
            ["created_at"],
            unique=False,
            postgresql_using="brin",
            postgresql_with={"autosummarize": "on", "pages_per_range": 32},
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    """Drops the index."""
    op.drop_index("ix_ledger_entry_created_at", table_name="ledger_entry")
