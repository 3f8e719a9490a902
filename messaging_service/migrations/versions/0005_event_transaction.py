"""The transaction of every event, and an index over it, so that events can be followed as they are committed."""

from __future__ import annotations

from alembic import op

from service_kit.postgres.online_ddl import build_index

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Adds the column in a moment, whatever the size of the table, then builds the index beside running sends.

    May be repeated after it was interrupted: a build that was broken off leaves an index that nobody uses.
    """
    # Events from before count as long over: a constant default is kept in the catalogue and rewrites no row.
    op.execute("ALTER TABLE message_event ADD COLUMN IF NOT EXISTS xact xid8 NOT NULL DEFAULT '0'")
    # Old replicas do not name the column, so theirs is right too.
    op.execute("ALTER TABLE message_event ALTER COLUMN xact SET DEFAULT pg_current_xact_id()")
    build_index("ix_message_event_xact", "message_event", ["xact"])


def downgrade() -> None:
    """Drops both."""
    op.drop_index("ix_message_event_xact", table_name="message_event")
    op.drop_column("message_event", "xact")
