"""Data keys, and places for contents under them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service_kit.postgres.online_ddl import add_checks, build_index

revision = "0025"
down_revision = "0024"

INSTANT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    """Creates the tables of keys and tasks, and adds columns without a rewrite; the previous release uses none of them.

    It may not run any more once a key-encryption key is set, because it cannot read what is sealed.
    """
    op.create_table(
        "data_key",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("month", sa.Date()),
        sa.Column("wrapped_by", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary()),
        sa.Column("created_at", INSTANT, nullable=False, server_default=sa.text("now()")),
        sa.Column("destroyed_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_key")),
        sa.CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)", name="destroyed"),
        sa.CheckConstraint("month IS NOT NULL OR destroyed_at IS NULL", name="only_months_end"),
        if_not_exists=True,
    )
    op.create_index(
        "uq_data_key_scope",
        "data_key",
        ["account_id", "month"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        if_not_exists=True,
    )
    op.create_index(
        "ix_data_key_month", "data_key", ["month"], postgresql_where=sa.text("wrapped IS NOT NULL"), if_not_exists=True
    )
    op.create_table(
        "privacy_task",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False, server_default=""),
        sa.Column("rows", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("caught_up", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("moved_at", INSTANT, nullable=False, server_default=sa.text("now()")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_privacy_task")),
        if_not_exists=True,
    )
    op.add_column("message", sa.Column("content", sa.LargeBinary()), if_not_exists=True)
    op.add_column("message", sa.Column("recipient_index", sa.LargeBinary()), if_not_exists=True)
    op.alter_column("message", "text", nullable=True)
    add_checks("message", {"ck_message_content_once": "content IS NULL OR (text IS NULL AND custom_data IS NULL)"})
    build_index(
        "ix_message_recipient_index",
        "message",
        ["recipient_index"],
        postgresql_where=sa.text("recipient_index IS NOT NULL"),
    )


def downgrade() -> None:
    """Drops the columns and tables: what is sealed is lost."""
    op.drop_index("ix_message_recipient_index", table_name="message")
    op.drop_constraint("ck_message_content_once", "message", type_="check")
    op.drop_column("message", "recipient_index")
    op.drop_column("message", "content")
    op.execute("UPDATE message SET text = '' WHERE text IS NULL")
    op.alter_column("message", "text", nullable=False)
    op.drop_table("privacy_task")
    op.drop_table("data_key")
