"""An index over all accounts' entries by time, for reports by booking."""

from __future__ import annotations

from alembic import op

from service_kit.postgres.online_ddl import build_index

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Creates the index beside running bookings; one that was begun and never finished is begun anew."""
    build_index(
        "ix_ledger_entry_created_at",
        "ledger_entry",
        ["created_at"],
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": 32},
    )


def downgrade() -> None:
    """Drops the index."""
    op.drop_index("ix_ledger_entry_created_at", table_name="ledger_entry")
