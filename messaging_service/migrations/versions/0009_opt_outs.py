"""The list of those who want no messages, and the inbox of what phones write."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service_kit.postgres.online_ddl import add_checks, build_index

revision = "0009"
down_revision = "0008"

_INSTANT = sa.TIMESTAMP(timezone=True)
_NOW = sa.text("now()")
BLOCKS = {
    "UPDATE dispatch": "the queue has only rows that still wait; claims skip those that are locked",
}
_SOURCES = "('stop_keyword', 'carrier', 'operator', 'api')"


def upgrade() -> None:
    """Creates the tables, and lets the queue be searched by recipient."""
    _suppression()
    _inbound_message()
    add_checks("dispatch", {"ck_dispatch_recipient_while_unknown": "state <> 'unknown' OR recipient IS NOT NULL"})
    op.execute(
        "UPDATE dispatch d SET recipient = m.recipient FROM message m WHERE m.id = d.message_id AND d.state = 'ready'"
    )
    build_index("ix_dispatch_ready_recipient", "dispatch", ["recipient"], postgresql_where=sa.text("state = 'ready'"))


def _suppression() -> None:
    op.create_table(
        "suppression",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("sender_id", sa.Text(), nullable=True),
        sa.Column("sender_key", sa.Text(), nullable=True),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, server_default=_NOW, nullable=False),
        sa.Column("inbound_id", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", _INSTANT, nullable=True),
        sa.Column("ended_source", sa.Text(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.Column("pass_due_at", _INSTANT, nullable=True),
        sa.CheckConstraint(f"source IN {_SOURCES}", name=op.f("ck_suppression_source")),
        sa.CheckConstraint(f"ended_source IN {_SOURCES}", name=op.f("ck_suppression_ended_source")),
        sa.CheckConstraint("(sender_id IS NULL) = (sender_key IS NULL)", name=op.f("ck_suppression_sender_with_key")),
        sa.CheckConstraint(
            "num_nulls(ended_at, ended_source, ended_by, ended_reason) IN (0, 4)",
            name=op.f("ck_suppression_ended_whole"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppression")),
        if_not_exists=True,
    )
    op.create_index(
        "uq_suppression_active",
        "suppression",
        ["phone", "sender_key", "account_id", "source"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
        postgresql_nulls_not_distinct=True,
        if_not_exists=True,
    )
    op.create_index(
        "ix_suppression_created_at_id",
        "suppression",
        [sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        if_not_exists=True,
    )
    op.create_index(
        "ix_suppression_phone_created_at", "suppression", ["phone", "created_at"], unique=False, if_not_exists=True
    )
    op.create_index(
        "ix_suppression_pass_due_at",
        "suppression",
        ["pass_due_at"],
        unique=False,
        postgresql_where=sa.text("pass_due_at IS NOT NULL"),
        if_not_exists=True,
    )


def _inbound_message() -> None:
    op.create_table(
        "inbound_message",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("sender_id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("is_opt_out", sa.Boolean(), nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.Column("stored_at", _INSTANT, server_default=_NOW, nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("next_try_at", _INSTANT, server_default=_NOW, nullable=True),
        sa.Column("directive", sa.Text(), nullable=True),
        sa.CheckConstraint("directive IN ('opt_out', 'opt_in', 'none')", name=op.f("ck_inbound_message_directive")),
        sa.CheckConstraint(
            "directive IS NULL OR (text IS NULL AND next_try_at IS NULL)",
            name=op.f("ck_inbound_message_text_gone_once_worked"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_message")),
        if_not_exists=True,
    )
    op.create_index(
        "ix_inbound_message_next_try_at",
        "inbound_message",
        ["next_try_at"],
        unique=False,
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
        if_not_exists=True,
    )
    op.create_index("ix_inbound_message_stored_at", "inbound_message", ["stored_at"], unique=False, if_not_exists=True)


def downgrade() -> None:
    """Drops the tables with all that they hold, and what the queue says of recipients that wait."""
    op.drop_index("ix_dispatch_ready_recipient", table_name="dispatch")
    op.execute("UPDATE dispatch SET recipient = NULL WHERE state <> 'unknown'")
    op.drop_constraint(op.f("ck_dispatch_recipient_while_unknown"), "dispatch", type_="check")
    op.create_check_constraint(
        op.f("ck_dispatch_recipient_while_unknown"), "dispatch", "(state = 'unknown') = (recipient IS NOT NULL)"
    )
    op.drop_table("inbound_message")
    op.drop_table("suppression")
