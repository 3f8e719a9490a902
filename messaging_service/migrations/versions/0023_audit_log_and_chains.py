"""The audit log, the chains over it, over the ledger and over the events, and an index to find events by number."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from service_kit.postgres.online_ddl import build_index

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Creates the tables, then builds the index beside running sends."""
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("principal_kind", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("before", JSONB(), nullable=True),
        sa.Column("after", JSONB(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
        if_not_exists=True,
    )
    op.create_index(
        "ix_audit_entry_account_id",
        "audit_entry",
        ["account", "id"],
        postgresql_where=sa.text("account IS NOT NULL"),
        if_not_exists=True,
    )
    op.create_index("ix_audit_entry_principal_id", "audit_entry", ["principal", "id"], if_not_exists=True)
    op.create_table(
        "hash_chain",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("format", sa.SmallInteger(), nullable=False),
        sa.Column("chained_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("chain", "number", name=op.f("pk_hash_chain")),
        if_not_exists=True,
    )
    build_index(
        "ix_message_event_id",
        "message_event",
        ["id"],
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": 32},
    )


def downgrade() -> None:
    """Drops them, with all that is on record."""
    op.drop_index("ix_message_event_id", table_name="message_event")
    op.drop_table("hash_chain")
    op.drop_table("audit_entry")
